"""examples/background_jobs.py: the context reaches workers in threads and in processes, and does not stay there."""

import pytest

from examples import background_jobs


@pytest.mark.parametrize("run", [background_jobs.in_thread, background_jobs.in_process])
def test_each_job_has_its_senders_context(run: object) -> None:
    answers = run(["dune", "emma"])  # type: ignore[operator]
    assert [(answer["title"], answer["session"]) for answer in answers] == [
        ("dune", "order-dune"),
        ("emma", "order-emma"),
    ]
    first, second = (answer["traceparent"].split("-")[1] for answer in answers)
    assert first != second, "one worker, two traces: nothing may be left of the first"
