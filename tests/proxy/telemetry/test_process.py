"""What the operating system says of this process."""

from __future__ import annotations

from proxy.telemetry.process import process_usage


def test_the_figures_are_those_of_a_running_python() -> None:
    usage = process_usage()
    assert usage.cpu_s > 0
    assert 2**20 < usage.resident_bytes < 2**34
    assert usage.open_fds >= 3
