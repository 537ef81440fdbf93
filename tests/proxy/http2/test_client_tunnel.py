"""A WebSocket of a client of HTTP/2 towards an upstream of HTTP/1.1: asked for, agreed, refused; without sockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from typing import cast

import pytest
from lab.http2 import GET, HELLO, Fields, Frame, data, rst
from lab.pairs import Pair, Plane
from lab.shared import Client

from proxy.http2.engine import codes
from proxy.http2.serving import Http2
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors

SOCKET: Fields = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:], (b"sec-websocket-version", b"13")]
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "


class Asked:
    """A WebSocket that has been asked for: both ends."""

    def __init__(self, fields: Fields = SOCKET, *, end: bool = False) -> None:
        self.plane = Plane()
        pair = Pair(self.plane)
        self.far = pair.far
        http2 = Http2(Ticker(asyncio.get_running_loop()), Descriptors())
        self.client = Client(http2.connection(self.plane.listener), HELLO, "10.0.0.1")
        self.first = self.client.ask(1, fields, end=end)

    async def head(self) -> bytes:
        """What the upstream got."""
        await asyncio.sleep(0)
        return self.far.take()

    def answer(self, wire: bytes) -> list[Frame]:
        """Bytes from the upstream; the frames that go to the client."""
        cast(asyncio.Protocol, self.far.protocol).data_received(wire)
        return self.client.get()

    def accept(self, head: bytes) -> bytes:
        found = re.search(rb"sec-websocket-key: (\S+)", head)
        assert found is not None
        made = hashlib.sha1(found[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False)
        return SWITCHING + base64.b64encode(made.digest()) + b"\r\n\r\n"


async def agreed(*, end: bool = False) -> Asked:
    """There is one."""
    asked = Asked(end=end)
    asked.answer(asked.accept(await asked.head()))
    return asked


def tunnels(asked: Asked) -> str:
    return repr(asked.plane.listener).rpartition(", ")[2]


async def test_a_websocket_is_asked_for_by_get_and_its_bytes_go_both_ways() -> None:
    asked = Asked()
    assert asked.first == asked.client.get(data(1, b"ear"), data(1, b"ly")) == []
    head = await asked.head()
    assert head.startswith(b"GET / HTTP/1.1\r\n")
    key = re.search(rb"sec-websocket-key: (\S+)", head)
    assert key is not None
    assert len(base64.b64decode(key[1])) == 16
    (agreed, *content) = asked.answer(asked.accept(head) + b"hello")
    assert (agreed.flags, asked.client.answer([agreed])) == (codes.END_HEADERS, {b":status": b"200"})
    assert [one.payload for one in content] == [b"hello"]
    assert asked.far.take() == b"early"
    asked.client.get(data(1, b"more"))
    assert asked.far.take() == b"more"
    assert [one.payload for one in asked.answer(b"less")] == [b"less"]
    exchange = asked.plane.metrics.exchange("inbound", "app")
    assert (exchange.requests[1], exchange.faults, tunnels(asked)) == (1, {}, "1 tunnels>")


async def test_a_websocket_whose_kept_connection_is_lost_is_asked_for_again() -> None:
    """It is a GET, which may be retried."""
    asked = Asked()
    await asked.head()
    cast(asyncio.Protocol, asked.far.protocol).connection_lost(None)
    assert asked.client.get() == []
    assert asked.client.connection.open_exchanges == 1
    asked.plane.pool.abort()


async def test_a_tunnel_ends_with_both_of_its_directions() -> None:
    asked = await agreed()
    asked.client.get(data(1, b"", end=True))
    assert (asked.far.is_ended, tunnels(asked), asked.client.connection.open_exchanges) == (True, "1 tunnels>", 1)
    protocol = cast(asyncio.Protocol, asked.far.protocol)
    protocol.eof_received()
    protocol.connection_lost(None)
    await asyncio.sleep(0)
    assert asked.client.frames()[-1].flags == codes.END_STREAM
    assert (tunnels(asked), asked.client.connection.open_exchanges) == ("0 tunnels>", 0)


@pytest.mark.parametrize("how", ["head", "content", "trailers"])
async def test_a_direction_may_end_before_there_is_a_tunnel(how: str) -> None:
    asked = Asked(end=how == "head")
    if how != "head":
        end = data(1, b"bye", end=True) if how == "content" else asked.client.peer.headers(1, [(b"x", b"1")], end=True)
        asked.client.get(end)
    asked.answer(asked.accept(await asked.head()))
    assert asked.far.take() == (b"bye" if how == "content" else b"")
    assert asked.far.is_ended


async def test_what_comes_before_there_is_a_tunnel_is_not_credited() -> None:
    """So no more of it is kept than the stream's window allows."""
    asked = Asked()
    frames = asked.client.get(*[data(1, bytes(16_384))] * 3)
    assert [one.id for one in frames if one.kind == codes.WINDOW_UPDATE and one.id] == []
    frames = asked.answer(asked.accept(await asked.head()))
    assert [one.id for one in frames if one.kind == codes.WINDOW_UPDATE and one.id] == [1]
    assert asked.far.take() == bytes(3 * 16_384)


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (SWITCHING + b"wrong\r\n\r\n", b"Sec-WebSocket-Accept is not the answer to its key"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"answered 200 to an Upgrade, and did not switch",
        ),
        (
            b"HTTP/1.1 299 OK\r\nContent-Length: 0\r\n\r\n",
            b"answered 299 to an Upgrade, and did not switch",
        ),
    ],
)
async def test_an_upstream_that_does_not_switch_is_refused(wire: bytes, words: bytes) -> None:
    asked = Asked()
    await asked.head()
    frames = asked.answer(wire)
    assert asked.client.answer(frames)[b":status"] == b"502"
    assert words in frames[1].payload
    assert (tunnels(asked), asked.client.connection.open_exchanges) == ("0 tunnels>", 0)
    assert asked.plane.metrics.exchange("inbound", "app").faults == {"bad-upgrade": 1}
    assert asked.far.is_aborted


async def test_an_answer_that_refuses_goes_to_the_client() -> None:
    asked = Asked()
    await asked.head()
    frames = asked.answer(b"HTTP/1.1 300 No\r\nContent-Length: 2\r\n\r\nno")
    assert asked.client.answer(frames)[b":status"] == b"300"
    assert frames[1].payload == b"no"


async def test_another_protocol_than_websocket_is_not_implemented() -> None:
    asked = Asked([(b":method", b"CONNECT"), (b":protocol", b"other"), *GET[1:]])
    assert asked.client.answer(asked.first)[b":status"] == b"501"
    assert asked.client.connection.open_exchanges == 0
    assert await asked.head() == b""


async def test_a_client_that_takes_it_back_leaves_nothing_open() -> None:
    asked = Asked()
    await asked.head()
    asked.client.get(rst(1))
    assert (asked.far.is_aborted or asked.far.is_closing(), asked.client.connection.open_exchanges) == (True, 0)
    assert asked.plane.metrics.exchange("inbound", "app").faults == {"client-gone": 1}
    asked = await agreed()
    asked.client.get(rst(1))
    await asyncio.sleep(0)
    assert (asked.far.is_aborted or asked.far.is_closing(), asked.client.connection.open_exchanges) == (True, 0)
    assert tunnels(asked) == "0 tunnels>"


# --- other answers of HTTP/1.1


@pytest.mark.parametrize("at", [None, 19, 63, 65, 70, 72])
async def test_content_and_trailers_of_http_1_1_come_on_the_stream(at: int | None) -> None:
    """Whether they come with the head, behind it, or one behind the other. The head has 63 bytes."""
    asked = Asked([*GET, (b"te", b"trailers")], end=True)
    await asked.head()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n"
    wire = head + b"3\r\nabc\r\n0\r\nX-End: 1\r\n\r\n"
    frames = asked.answer(wire[:at])
    if at is not None:
        frames += asked.answer(wire[at:])
    first, *content, trailers = frames
    assert asked.client.answer([first])[b":status"] == b"200"
    assert [(one.kind, one.payload) for one in content] == [(codes.DATA, b"abc")]
    assert (trailers.flags, asked.client.peer.fields(trailers.payload)) == (
        codes.END_HEADERS | codes.END_STREAM,
        [(b"x-end", b"1")],
    )


@pytest.mark.parametrize("scheme", [b"NTLM", b"Negotiate"])
async def test_a_connection_on_which_somebody_logs_in_is_not_kept(scheme: bytes) -> None:
    """It is that of one client, and a stream has none to itself."""
    asked = Asked(GET, end=True)
    await asked.head()
    frames = asked.answer(b"HTTP/1.1 401 No\r\nWWW-Authenticate: %s\r\nContent-Length: 0\r\n\r\n" % scheme)
    assert asked.client.answer(frames)[b":status"] == b"401"
    assert asked.far.is_closing()
