"""The unit tests of the sidecar run on the event loop that it runs on. A whole sidecar stands in tests/lab alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
import uvloop
from lab.echo import EchoApp


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def app() -> Iterator[EchoApp]:
    """In front of it stands a sidecar that is a process (`lab.process`)."""
    made = EchoApp()
    yield made
    made.close()
