"""A stream as one end of a tunnel: what it writes, hears and tells, as a transport of the event loop does."""

from __future__ import annotations

import asyncio

from lab.http2 import POST, Frame, data, rst, settings, window_update
from lab.http2_ends import ServerEnd

from proxy.http2.engine import codes
from proxy.http2.engine.codes import PREFACE
from proxy.http2.stream_transport import StreamTransport, end_of


class Protocol:
    """Writes down what it is told; keeps its side open after the end of the other, if it is asked to."""

    def __init__(self, *, stays: bool = False) -> None:
        self.told: list[object] = []
        self.stays = stays

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> bool:
        self.told.append("eof")
        return self.stays

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(("lost", exc))


def tunnel(*, stays: bool = False, window: int = 65_535) -> tuple[ServerEnd, StreamTransport, Protocol]:
    end = ServerEnd(hello=PREFACE + settings((4, window)))
    stream = end.request(1, POST, end=False)
    end.respond(1)
    made = end_of(stream, ("10.0.0.1", 5), b"", saw_eof=False, tell=lambda _: None, on_lost=lambda _: None)
    transport = made.transport
    assert isinstance(transport, StreamTransport)
    protocol = Protocol(stays=stays)
    transport.set_protocol(protocol)  # type: ignore[arg-type]  # all that it calls
    return end, transport, protocol


def reset(code: int) -> Frame:
    return Frame(codes.RST_STREAM, 0, 1, code.to_bytes(4, "big"))


async def test_bytes_go_both_ways() -> None:
    end, transport, protocol = tunnel()
    assert transport.get_extra_info("peername") == ("10.0.0.1", 5)
    assert transport.get_protocol() is protocol
    assert (transport.can_write_eof(), transport.is_closing(), transport.is_reading()) == (True, False, True)
    transport.write(bytearray(b"out"))
    assert end.out() == [Frame(codes.DATA, 0, 1, b"out")]
    end.get(data(1, b"in"))
    assert protocol.told == [b"in"]
    assert repr(transport).startswith("<StreamTransport <Stream 1 ")


async def test_each_direction_ends_by_itself() -> None:
    end, transport, protocol = tunnel(stays=True)
    transport.write_eof()
    transport.write_eof()
    transport.write(b"late")
    assert end.out() == [Frame(codes.DATA, codes.END_STREAM, 1, b"")]
    end.get(data(1, b"in"))
    assert protocol.told == [b"in"]
    end.get(data(1, b"more", end=True))
    assert protocol.told == [b"in", b"more", "eof"]
    await asyncio.sleep(0)
    assert end.engine.is_idle


async def test_a_protocol_that_stays_may_write_on_and_another_is_closed() -> None:
    end, transport, protocol = tunnel(stays=True)
    end.get(data(1, b"", end=True))
    assert protocol.told == ["eof"]
    transport.write(b"on")
    assert end.out() == [Frame(codes.DATA, 0, 1, b"on")]
    end, transport, protocol = tunnel()
    assert end.get(data(1, b"", end=True)) == [Frame(codes.DATA, codes.END_STREAM, 1, b"")]
    assert (transport.is_closing(), protocol.told) == (True, ["eof"])
    await asyncio.sleep(0)
    assert protocol.told == ["eof", ("lost", None)]


async def test_trailers_are_an_end() -> None:
    end, _, protocol = tunnel(stays=True)
    end.get(end.peer.headers(1, [(b"x", b"1")], end=True))
    assert protocol.told == ["eof"]


async def test_a_close_sends_what_waits_first() -> None:
    end, transport, protocol = tunnel(window=3)
    transport.write(b"12345")
    assert (transport.get_write_buffer_size(), protocol.told) == (2, ["pause"])
    transport.close()
    transport.close()
    assert [one.payload for one in end.out()] == [b"123"]
    await asyncio.sleep(0)
    assert protocol.told == ["pause"]
    frames = end.get(data(1, b"unread"), window_update(1, 10))
    assert frames == [Frame(codes.DATA, codes.END_STREAM, 1, b"45"), reset(codes.NO_ERROR)]
    await asyncio.sleep(0)
    assert protocol.told == ["pause", "resume", ("lost", None)]


async def test_a_client_that_takes_all_again_is_told() -> None:
    end, transport, protocol = tunnel(window=3)
    transport.write(b"12345")
    end.get(window_update(1, 10))
    assert protocol.told == ["pause", "resume"]
    assert not transport.is_closing()


async def test_an_abort_is_a_reset() -> None:
    end, transport, protocol = tunnel()
    transport.write(b"out")
    transport.abort()
    transport.abort()
    assert end.out()[-1] == reset(codes.CONNECT_ERROR)
    assert (transport.is_closing(), protocol.told) == (True, [])
    await asyncio.sleep(0)
    assert protocol.told == [("lost", None)]


async def test_a_client_that_resets_its_stream_is_lost() -> None:
    end, transport, protocol = tunnel()
    end.get(rst(1))
    assert (transport.is_closing(), protocol.told) == (True, [])
    transport.write(b"late")
    assert end.out() == []
    await asyncio.sleep(0)
    assert protocol.told == [("lost", None)]


async def test_reading_can_be_paused() -> None:
    end, transport, _ = tunnel()
    transport.pause_reading()
    assert not transport.is_reading()
    frames = end.get(*[data(1, bytes(16_384))] * 3)
    assert not [one for one in frames if one.kind == codes.WINDOW_UPDATE and one.id == 1]
    transport.resume_reading()
    assert transport.is_reading()
    assert [one.id for one in end.out() if one.kind == codes.WINDOW_UPDATE] == [1]


async def test_what_is_known_of_an_end_of_a_tunnel() -> None:
    end = ServerEnd(hello=PREFACE + settings((4, 0)))
    stream = end.request(1, POST, end=False)
    end.respond(1)
    stream.send(b"a", False)
    made = end_of(stream, None, b"early", saw_eof=True, tell=lambda _: None, on_lost=lambda _: None)
    assert stream.is_tunnel
    assert (made.received, made.saw_eof, made.is_full) == (b"early", True, True)
