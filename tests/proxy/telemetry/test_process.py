"""What the operating system says of this process."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from proxy.telemetry.process import process_usage


def test_the_figures_are_those_of_a_running_python() -> None:
    usage = process_usage()
    assert usage.cpu_s > 0
    assert 2**20 < usage.resident_bytes < 2**34
    assert usage.open_fds >= 3
    more = [os.open(os.devnull, os.O_RDONLY) for _ in range(5)]
    try:
        assert process_usage().open_fds == usage.open_fds + 5
    finally:
        for one in more:
            os.close(one)


def test_without_proc_the_memory_is_the_highest_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what cannot be known is 0, so that a scrape never fails."""

    def no_such_file(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", no_such_file)
    usage = process_usage()
    assert 0 <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - usage.resident_bytes // 1024 < 100
    assert usage.open_fds == 0
