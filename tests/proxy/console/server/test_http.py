"""What the console's HTTP servers say of themselves."""

from __future__ import annotations

import asyncio

import pytest
from lab.consoles import Console, Start, sent, span

HOST = b"Host: 127.0.0.1\r\n"
ASKED = {
    "the page": b"GET / HTTP/1.1\r\n" + HOST,
    "the API": b"GET /api/v1/self HTTP/1.1\r\n" + HOST,
    "spans": b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" + HOST,
    "nothing there": b"GET /nowhere HTTP/1.1\r\n" + HOST,
    "wrong method": b"PUT /v1/traces HTTP/1.1\r\n" + HOST,
    "another host": b"GET / HTTP/1.1\r\nHost: evil.test\r\n",
    "an expectation": b"POST /v1/traces HTTP/1.1\r\nExpect: 200-maybe\r\nContent-Length: 2\r\n" + HOST,
    "no request": b"GARBAGE\r\n",
    "too long": b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 20_000 + b"\r\n" + HOST,
}


async def heads(url: str, asked: bytes) -> list[str]:
    """The status line and the fields of the answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b"{}" if b"Content-Length: 2" in asked else b""
    writer.write(asked + b"Connection: close\r\n\r\n" + body)
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return head.decode().splitlines()


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("side", ["url", "otlp"])
async def test_it_names_itself_and_not_what_it_is_made_of(console: Console, side: str, asked: bytes) -> None:
    found = await heads(getattr(console, side), asked)
    assert [line for line in found if line.lower().startswith("server:")] == ["Server: ops-sidecar"]
    assert "aiohttp" not in " ".join(found)


async def test_who_sends_otlp_wrongly_is_told_what_would_do(start_console: Start) -> None:
    """RFC 9110: 405 has Allow (15.5.6), 401 has WWW-Authenticate (15.5.2)."""
    console = await start_console(otlp_token="t")
    assert "Allow: POST, OPTIONS" in await heads(console.otlp, ASKED["wrong method"])
    async with await console.send(sent(span(1))) as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("side", ["url", "otlp"])
async def test_what_cannot_be_read_makes_no_line_of_the_log(
    console: Console, side: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It would have a traceback, and parts of the request."""
    caplog.set_level("DEBUG", "proxy.console.http")
    assert (await heads(getattr(console, side), ASKED["no request"]))[0].startswith("HTTP/1.0 400")
    assert [record.message for record in caplog.records if record.name == "proxy.console.http"] == []
