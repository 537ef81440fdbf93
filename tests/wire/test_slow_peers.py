"""Peers that do not read, or read late: what is held for them stays bounded, and their deadlines fire.

Over Unix sockets where bytes are counted: what the kernel holds of them is little, and always the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from lab.apps import Answering
from lab.messages import Message
from lab.peers import Upstream
from lab.pump import MIB, fill
from lab.sidecar import Sidecar, merged

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GIB = 1024 * MIB
UPLOAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % GIB
DOWNLOAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB
PIECE = 200_000
# Two sockets of 208 KiB, a read of 256 KiB on either side of the mark, the smallest mark; and room for the kernel.
LITTLE = 3 * MIB // 2


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Upstream]:
    with closing(Upstream(unix_path=tmp_path / "app")) as upstream:
        yield upstream


@pytest.fixture
def sidecar(start: Callable[..., Sidecar], app: Upstream, tmp_path: Path) -> Callable[..., Sidecar]:
    """`sidecar(settings)`: a sidecar whose client and app are behind Unix sockets."""
    ends = {"inbound": {"listen": f"unix:{tmp_path}/in", "app": app.url}}
    return lambda settings: start(merged(ends, settings))


def settings_of(sidecar: Sidecar, app: Upstream, buffer_bytes: int) -> dict[str, Any]:
    """The same ends with another bound of what is held."""
    return {
        "inbound": {"listen": f"unix:{sidecar.addresses['inbound'].unix_path}", "app": app.url},
        "outbound": {"listen": "off"},
        "admin": {"listen": "off"},
        "limits": {"buffer_bytes": buffer_bytes},
    }


@pytest.mark.parametrize("first", [0, 200_000], ids=["bit-by-bit", "much-at-once"])
def test_an_upload_waits_in_the_client(sidecar: Callable[..., Sidecar], app: Upstream, first: int) -> None:
    """An app that does not read stops the client, also where the first packet is more than is held."""
    client = sidecar({"limits": {"buffer_bytes": 1024}}).client()
    client.send(UPLOAD + bytes(first))
    app.accept().stream.request_head()
    assert fill(client.sock) < LITTLE


def test_pipelined_requests_wait_for_a_client_that_does_not_read(
    sidecar: Callable[..., Sidecar], app: Upstream
) -> None:
    """No request goes out while the client is full: its answer, which may be endless, could not be held back.

    All are answered in the end.
    """
    one = sidecar({})
    client = one.client()
    client.send(GET * 100)
    connection = app.accept()
    asked = 0
    while asked < 100 and not (one.settle(50), connection.is_silent())[1]:
        connection.answer(bytes(PIECE))
        asked += 1
    assert 0 < asked * PIECE < LITTLE
    for turn in range(100):
        assert len(client.response().body) == PIECE
        if asked < 100 and turn >= asked // 2:
            connection.answer(bytes(PIECE))
            asked += 1


def test_a_client_that_never_reads_is_cut(wired: Callable[..., Any]) -> None:
    """After `timeouts.idle_s` without a byte taken."""
    wire = wired({"timeouts": {"idle_s": 0.2}})

    def much(request: Message) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000)

    with Answering(wire.upstream, much):
        wire.client().send(GET * 100)
        metrics = wire.sidecar.metrics.listener("inbound")
        wire.sidecar.until(lambda: metrics.connections_total == 1 and metrics.connections_open == 0)
        assert wire.sidecar.plane.in_flight() == 0


def test_a_client_that_never_reads_an_early_answer_is_cut(sidecar: Callable[..., Sidecar], app: Upstream) -> None:
    """It stopped reading while it was still sending, and has sent everything since."""
    timeouts = {"idle_s": 0.2, "body_read_s": 30, "response_body_s": 30}
    one = sidecar({"timeouts": timeouts, "limits": {"gather_bytes": 0}})
    client = one.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    connection = app.accept()
    connection.stream.request_head()
    connection.send(DOWNLOAD)
    fill(connection.sock)
    client.send(b"world")
    one.until(lambda: one.plane.in_flight() == 0)


def test_an_echo_to_a_client_that_only_sends_is_cut(sidecar: Callable[..., Sidecar], app: Upstream) -> None:
    """Each end waits for the other to read. Only the client is to blame, and it is not waited for without end."""
    one = sidecar({"timeouts": {"idle_s": 0.2}})
    client = one.client()
    client.send(UPLOAD)
    connection = app.accept()
    connection.stream.request_head()
    fill(client.sock)
    connection.send(DOWNLOAD)
    fill(connection.sock)
    one.until(lambda: one.plane.in_flight() == 0)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_reload_changes_how_much_is_held_for_a_client(
    sidecar: Callable[..., Sidecar], app: Upstream, busy: bool
) -> None:
    """Of a connection that is open, between two exchanges or in the middle of one."""
    one = sidecar({"limits": {"buffer_bytes": 4 * MIB}})
    client = one.client()
    client.send(GET)
    connection = app.accept()
    connection.request()
    if not busy:
        connection.reply()
        assert client.response().status == 200
    one.replace(settings_of(one, app, 1024))
    if not busy:
        client.send(GET)
        connection.request()
    connection.send(DOWNLOAD)
    assert fill(connection.sock) < LITTLE


@pytest.mark.parametrize(("before", "after"), [(1024, 4 * MIB), (4 * MIB, 1024)], ids=["more", "less"])
def test_a_reload_changes_how_much_is_held_for_a_pooled_connection(
    sidecar: Callable[..., Sidecar], app: Upstream, before: int, after: int
) -> None:
    """From its next exchange on."""
    one = sidecar({"limits": {"buffer_bytes": before}})
    client = one.client()
    client.send(GET)
    connection = app.accept()
    connection.answer()
    assert client.response().status == 200
    one.replace(settings_of(one, app, after))
    client.send(UPLOAD)
    connection.stream.request_head()
    assert after < fill(client.sock) < after + LITTLE
