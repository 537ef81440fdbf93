"""Calls of apps that forward nothing, on what people run them: never a wrong parent, however many requests at once."""

from __future__ import annotations

import os
import shutil

import pytest
from linking import RUNTIMES, measure


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    if shutil.which(RUNTIMES[request.param][0]) is None:
        (pytest.fail if os.environ.get("OPS_REQUIRE_NODE") else pytest.skip)(f"{request.param} is not installed")
    return str(request.param)


def test_of_many_requests_at_once_no_call_gets_a_wrong_parent(runtime: str) -> None:
    """Where a process serves one request at a time, it tells them apart."""
    found = measure(RUNTIMES[runtime], at_once=32, requests=64)
    assert found.wrong == 0
    assert found.right + found.unlinked == 64
    assert sum(found.methods.values()) == 64
    assert found.methods.get("none", 0) == found.unlinked
    if "sync" in runtime:
        assert found.right > 0


def test_of_one_request_at_a_time_each_call_is_joined(runtime: str) -> None:
    found = measure(RUNTIMES[runtime], at_once=1, requests=4)
    assert (found.right, found.wrong, found.unlinked) == (4, 0, 0)
