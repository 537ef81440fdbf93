"""The fuzz tests run on the loop that the sidecar runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from proxy.http1 import connection


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def short_good_byes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that end are closed soon, so that nothing has to be waited for."""
    monkeypatch.setattr(connection, "_LINGER_S", 0.3)
