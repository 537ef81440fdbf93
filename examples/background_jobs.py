"""Background jobs that belong to the trace and session of the request which queued them.

    python examples/background_jobs.py

The context travels in the message, as headers do, because the worker may be a thread, another process or another
machine: a plain dict of strings that any queue can carry.
"""

from __future__ import annotations

import multiprocessing
import queue
import threading
from typing import Any, NamedTuple

import ops_lib as ops


class Job(NamedTuple):
    """One message: the work, and the context of whoever asked for it."""

    title: str
    headers: dict[str, str]


def enqueue(jobs: Any, title: str) -> None:
    """Put a job on any queue (`queue.Queue`, `multiprocessing.Queue`, Redis, SQS, ...)."""
    headers: dict[str, str] = {}
    ops.inject_context(headers)
    jobs.put(Job(title, headers))


def work(jobs: Any, results: Any) -> None:
    """The worker: takes jobs until it gets None. Each job has the context of its own sender, and leaves none behind."""
    while (job := jobs.get()) is not None:
        with ops.propagated_context(extract_from=job.headers):
            results.put(print_book(job.title))


@ops.trace
def print_book(title: str) -> dict[str, str | None]:
    session, carrier = ops.current_session(), dict[str, str]()
    ops.inject_context(carrier)
    return {"title": title, "session": session.id if session else None, "traceparent": carrier.get("traceparent")}


def run(worker: Any, jobs: Any, results: Any, titles: list[str]) -> list[dict[str, str | None]]:
    """Queue one job a title, each in a session and a trace of its own; wait for all of them."""
    worker.start()
    for title in titles:
        with ops.session(id=f"order-{title}"), ops.span("order"):
            enqueue(jobs, title)
    jobs.put(None)
    answers = [results.get(timeout=30) for _ in titles]
    worker.join()
    return answers


def in_thread(titles: list[str]) -> list[dict[str, str | None]]:
    jobs: queue.Queue[Any] = queue.Queue()
    results: queue.Queue[Any] = queue.Queue()
    return run(threading.Thread(target=work, args=(jobs, results)), jobs, results, titles)


def in_process(titles: list[str]) -> list[dict[str, str | None]]:
    spawn = multiprocessing.get_context("spawn")  # nothing is inherited: only the message carries the context
    jobs, results = spawn.Queue(), spawn.Queue()
    return run(spawn.Process(target=work, args=(jobs, results)), jobs, results, titles)


if __name__ == "__main__":
    for answer in in_thread(["dune", "emma"]) + in_process(["ulysses"]):
        print(answer["session"], answer["traceparent"])
