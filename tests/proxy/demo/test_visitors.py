"""The demo's visitors: each brings a trace of its own, in the next format, and they stop when told to."""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
from typing import Any

import pytest
from aiohttp import web

from ops_lib.propagation import Propagator
from proxy.demo.visitors import main, visits


def test_each_brings_another_trace_in_a_known_format() -> None:
    """The sidecar's own reader understands all of them."""
    propagator = Propagator()
    found = [propagator.extract(propagator.fields(headers)).context for headers in itertools.islice(visits(), 8)]
    assert len({context.trace_id for context in found if context is not None}) == 8


def test_the_four_formats_take_turns() -> None:
    names = [headers[0][0] for headers in itertools.islice(visits(), 5)]
    assert names == ["traceparent", "b3", "X-B3-TraceId", "uber-trace-id", "traceparent"]


@pytest.mark.slow
async def test_it_asks_until_it_is_told_to_stop(aiohttp_server: Any) -> None:
    """It says once that it is answered, and once that it is not any more."""
    asked = 0

    async def serve(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=200 if asked <= 2 else 503)

    app = web.Application()
    app.router.add_get("/checkout", serve)
    server = await aiohttp_server(app)
    url = str(server.make_url("/checkout"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy.demo.visitors", url, "--per-second", "100"), stdout=subprocess.PIPE
    )
    assert await process.stdout.readline() == f"{url}: is answered\n".encode()
    assert await process.stdout.readline() == f"{url}: answered 503\n".encode()
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "5000"])
def test_wrong_rate(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["http://a/", "--per-second", rate])
    assert ended.value.code == 2
    assert "expected more than 0" in capsys.readouterr().err
