"""How a sidecar is, from its last two reports."""

from __future__ import annotations

from proxy.console.query.sidecars import _health, _percentile

BEFORE = {"started": 1, "cpu_s": 10.0, "rss_bytes": 52_428_800}


def test_what_a_sidecar_used_between_two_reports() -> None:
    said = _health({**BEFORE, "cpu_s": 12.5, "ready": True}, BEFORE, 10.0, {})
    assert (said["cpu_percent"], said["rss_mb"], said["requests_per_s"], said["ready"]) == (25.0, 50.0, 0.0, True)


def test_of_the_first_report_and_after_a_restart_nothing_is_known() -> None:
    for before, passed_s in (({}, 0.0), ({**BEFORE, "started": 0}, 10.0)):
        said = _health(BEFORE, before, passed_s, {})
        assert (said["cpu_percent"], said["requests_per_s"]) == (None, None)


def test_a_percentile_is_the_bound_of_its_bucket_and_of_nothing_there_is_none() -> None:
    bounds = (0.001, 0.01)
    for counts, want in (
        ([0, 0, 0], None),
        ([1, 0, 0], 1.0),
        ([99, 1, 0], 1.0),
        ([98, 2, 0], 10.0),
        ([0, 0, 1], 10.0),  # beyond the last bound
    ):
        assert _percentile(counts, bounds, 0.99) == want, counts
    assert _percentile([1], (), 0.99) is None
