"""OTLP over gRPC frame by frame: each refusal with its words, its status and its counter, and each bound."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from lab import http2
from lab.consoles import WAIT_S, Console, Start, running, sent, span
from lab.h2 import Answer, Peer, client
from lab.sidecar import connect
from lab.transports import FakeTransport

from proxy.console.server import grpc, grpc_call, intake
from proxy.console.store.writer import Writer
from proxy.plan import Address

GRPC = "proxy.console.server.grpc"
CALL = "proxy.console.server.grpc_call"
INTAKE = "proxy.console.server.intake"
SERVICES = "/opentelemetry.proto.collector."
EXPORT = f"{SERVICES}trace.v1.TraceService/Export"
BODY = sent(span(1)).SerializeToString()

in_source = pytest.mark.skipif(
    not str(grpc.__file__).endswith(".py"), reason="compiled functions keep the bounds of their modules"
)


def message(body: bytes, flag: int = 0) -> bytes:
    return bytes((flag,)) + len(body).to_bytes(4, "big") + body


def knock(console: Console) -> Peer:
    host, _, port = console.otlp.removeprefix("http://").partition(":")
    return client(connect(Address(host, int(port))))


async def talk(console: Console, say: Callable[[Peer], Any]) -> Any:
    """What `say` makes of a new connection."""

    def saying() -> Any:
        peer = knock(console)
        try:
            return say(peer)
        finally:
            peer.close()

    return await asyncio.to_thread(saying)


async def counted(console: Console) -> dict[str, Any]:
    said: dict[str, Any] = (await console.get("/health"))["console"]
    return said


def asked(content: bytes, path: str = EXPORT, **fields: str) -> Callable[[Peer], Answer]:
    """A call with this content."""

    def say(peer: Peer) -> Answer:
        stream = peer.call(path, [(name.replace("_", "-"), value) for name, value in fields.items()])
        peer.data(stream, content, end=True)
        return peer.answer(stream)

    return say


@pytest.mark.parametrize(
    ("content", "path", "fields", "status", "label", "words"),
    [
        (b"", f"{SERVICES}profiles.v1.ProfilesService/Export", {}, "12", "path",
         "this is OTLP: Export of TraceService, MetricsService or LogsService"),
        (b"", EXPORT, {"grpc_encoding": "zstandard-for-all-of-us"}, "12", "content-encoding",
         "grpc-encoding 'zstandard-for-all-of': expected gzip or identity"),
        (b"", EXPORT, {}, "3", "malformed", "the request is not one whole message"),
        (b"\0\0\0\0", EXPORT, {}, "3", "malformed", "the request is not one whole message"),
        (message(BODY)[:-1], EXPORT, {}, "3", "malformed", "the request is not one whole message"),
        (message(BODY) + b"\0", EXPORT, {}, "3", "malformed", "more than one message"),
        (message(BODY, 1), EXPORT, {}, "13", "malformed",
         "a message that is packed, though grpc-encoding does not say how"),
        (message(BODY, 1), EXPORT, {"grpc_encoding": "identity"}, "13", "malformed",
         "a message that is packed, though grpc-encoding does not say how"),
        (message(BODY, 2), EXPORT, {"grpc_encoding": "gzip"}, "13", "malformed",
         "a message that is packed, though grpc-encoding does not say how"),
        (message(b"\xff"), EXPORT, {}, "3", "malformed", "not an ExportTraceServiceRequest in protobuf"),
        (b"\0\x02\0\0\x01", EXPORT, {}, "8", "body-too-large",
         "a message of more than 33,554,432 bytes; set a smaller batch (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)"),
    ],    ids=(
        "unknown service", "unknown encoding", "nothing", "prefix cut", "cut", "two", "packed, but not said how",
        "packed, but said not to be", "unknown flag", "malformed", "too large",
    ),
)  # fmt: skip
async def test_what_is_refused_is_told_and_counted(
    console: Console, content: bytes, path: str, fields: dict[str, str], status: str, label: str, words: str
) -> None:
    answer = await talk(console, asked(content, path, **fields))
    told = dict(answer.fields)
    assert words in told.pop("grpc-message").replace("%27", "'")
    assert told == {
        ":status": "200", "content-type": "application/grpc", "grpc-accept-encoding": "identity,gzip",
        "grpc-status": status,
    }  # fmt: skip
    assert (await counted(console))["refused"] == {label: 1}


async def test_a_message_of_32_mib_may_be_announced(console: Console) -> None:
    """It is not whole, but not too long."""
    answer = await talk(console, asked(b"\0\x02\0\0\0"))
    assert answer.field("grpc-status") == "3"
    assert (await counted(console))["refused"] == {"malformed": 1}


@pytest.mark.parametrize("service", ["trace.v1.TraceService", "metrics.v1.MetricsService", "logs.v1.LogsService"])
async def test_an_export_of_each_service_is_answered(console: Console, service: str) -> None:
    answer = await talk(console, asked(message(b""), f"{SERVICES}{service}/Export"))
    assert (answer.fields, answer.body, answer.trailers) == (
        [(":status", "200"), ("content-type", "application/grpc")],
        b"\0\0\0\0\0",
        [("grpc-status", "0")],
    )
    assert (await counted(console))["refused"] == {}


@pytest.mark.parametrize(
    ("method", "kind", "status", "label"),
    [
        ("GET", "application/grpc", 405, "method"),
        ("PUT", "text/plain", 405, "method"),
        ("POST", "application/json", 415, "content-type"),
    ],
)
async def test_what_is_no_call_is_refused_as_http(
    console: Console, method: str, kind: str, status: int, label: str
) -> None:
    def say(peer: Peer) -> Answer:
        stream = peer.request(EXPORT, [("content-type", kind)], method=method, end=False)
        peer.data(stream, message(BODY), end=True)  # which nobody listens to
        return peer.answer(stream)

    assert (await talk(console, say)).fields == [(":status", str(status))]
    assert (await counted(console))["refused"] == {label: 1}


async def test_a_call_without_a_message(console: Console) -> None:
    def say(peer: Peer) -> Answer:
        return peer.answer(peer.call(EXPORT, end=True))

    assert (await talk(console, say)).field("grpc-message") == "the request is not one whole message"


async def test_trailers_end_a_message(console: Console) -> None:
    def say(peer: Peer) -> Answer:
        stream = peer.call(EXPORT)
        peer.data(stream, message(BODY))
        peer.headers(stream, [("x-sum", "1")], end=True)
        return peer.answer(stream)

    assert (await talk(console, say)).field("grpc-status") == "0"


async def test_a_head_has_32_kib(console: Console) -> None:
    def of(size: int) -> Callable[[Peer], Answer]:
        fields = [("x-a", "a" * 4000)] * 7 + [("x-b", "b" * size)]

        def ask(peer: Peer) -> Answer:
            return peer.answer(peer.call(EXPORT, fields, end=True))

        return ask

    usual = 43 + 43 + 32 + len(":path") + len(EXPORT) + 50 + 60 + 42  # method, scheme, path, authority, type, te
    size = 32 * 1024 - usual - 7 * 4035 - 35
    assert (await talk(console, of(size))).status == 200
    assert (await talk(console, of(size + 1))).status == 431
    assert (await counted(console))["refused"] == {"malformed": 1, "header-too-large": 1}


@in_source
async def test_a_message_that_does_not_come(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CALL}._READ_S", 0.0)

    def say(peer: Peer) -> Answer:
        return peer.answer(peer.call(EXPORT))

    answer = await talk(console, say)
    assert answer.field("grpc-message") == "the message did not come within 0 seconds"
    assert answer.field("grpc-status") == "4"
    assert (await counted(console))["refused"] == {"slow": 1}


async def test_a_token_is_asked_for_by_its_status(start_console: Start) -> None:
    console = await start_console(otlp_token="let-me-in-please")
    assert (await talk(console, asked(message(BODY)))).field("grpc-status") == "16"
    assert (await talk(console, asked(message(BODY), authorization="Bearer let-me-in-please"))).field(
        "grpc-status"
    ) == "0"
    assert (await counted(console))["refused"] == {"token": 1}


@pytest.mark.parametrize(
    ("path", "fields", "label"),
    [
        (f"{SERVICES}profiles.v1.ProfilesService/Export", {}, "path"),
        (EXPORT, {"grpc_encoding": "x"}, "content-encoding"),
    ],
)
async def test_what_is_refused_is_not_asked_for_its_token_too(
    start_console: Start, path: str, fields: dict[str, str], label: str
) -> None:
    console = await start_console(otlp_token="let-me-in-please")
    assert (await talk(console, asked(message(BODY), path, **fields))).field("grpc-status") == "12"
    assert (await counted(console))["refused"] == {label: 1}


async def test_what_is_held_of_all_bodies_is_bounded_and_free_again(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a call ends: answered, refused, taken back."""
    monkeypatch.setattr(f"{INTAKE}._MOST_HELD_BYTES", len(message(BODY)))

    def half(peer: Peer) -> None:
        stream = peer.call(EXPORT)
        peer.data(stream, message(BODY)[:20])
        peer.reset(stream)

    def beside(peer: Peer) -> Answer:
        waiting = peer.call(EXPORT)
        peer.data(waiting, b"\0")
        stream = peer.call(EXPORT)
        peer.data(stream, message(BODY), end=True)
        answer = peer.answer(stream)
        peer.reset(waiting)
        return answer

    for _ in range(3):
        assert (await talk(console, asked(message(BODY)))).field("grpc-status") == "0"
        assert (await talk(console, asked(message(b"\xff" * 20)))).field("grpc-status") == "3"
        assert (await talk(console, asked(b"\x03" + message(BODY)[1:]))).field("grpc-status") == "13"
        await talk(console, half)
    refused = await talk(console, beside)
    assert (refused.field("grpc-status"), refused.field("grpc-message")) == ("14", "too many bodies at once; retry")
    assert (await talk(console, asked(message(BODY)))).field("grpc-status") == "0"
    assert (await counted(console))["refused"] == {"malformed": 6, "busy": 1}


async def test_a_store_that_is_full_is_told_with_a_status_to_retry(
    start_console: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Writer, "add", lambda *_, **__: False)
    console = await start_console()
    answer = await talk(console, asked(message(BODY)))
    assert (answer.field("grpc-status"), answer.field("grpc-message")) == (
        "14", "the console writes more slowly than this comes; retry",
    )  # fmt: skip
    assert (await counted(console))["refused"] == {"store-full": 1}


async def test_a_bug_is_told_and_logged(
    console: Console, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(f"{INTAKE}.read_body", broken)
    with caplog.at_level(logging.ERROR):
        answer = await talk(console, asked(message(BODY)))
    assert (answer.field("grpc-status"), answer.field("grpc-message")) == (
        "13", "a bug of the console; its log has more",
    )  # fmt: skip
    assert (await counted(console))["refused"] == {"bug": 1}
    assert [record.message for record in caplog.records if record.exc_info] == ["an Export could not be read"]


@in_source
async def test_more_connections_than_there_may_be(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{GRPC}._MOST_CONNECTIONS", 2)

    def say() -> list[str]:
        peers = [knock(console) for _ in range(2)]
        told = [str(asked(message(BODY))(peer).field("grpc-status")) for peer in peers]
        third = knock(console)
        told.append("over" if third.is_over() else "")
        told += [str(asked(message(BODY))(peer).field("grpc-status")) for peer in peers]
        for peer in (*peers, third):
            peer.close()
        return told

    assert await asyncio.to_thread(say) == ["0", "0", "over", "0", "0"]
    assert (await counted(console))["refused"] == {"connections": 1}


@in_source
async def test_an_idle_connection_is_told_goodbye(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once after its last call here, but not during it."""
    monkeypatch.setattr(f"{GRPC}._IDLE_S", 0.0)
    assert await talk(console, lambda peer: peer.goaway().number == 0 and peer.is_over())
    monkeypatch.setattr(f"{GRPC}._IDLE_S", 60.0)

    def say(peer: Peer) -> tuple[str | None, int, bool]:
        stream = peer.call(EXPORT)
        peer.data(stream, message(BODY)[:9])
        asked(message(BODY))(peer)
        monkeypatch.setattr(f"{GRPC}._IDLE_S", 0.0)
        peer.data(stream, message(BODY)[9:], end=True)
        return peer.answer(stream).field("grpc-status"), peer.goaway().number, peer.is_over()

    assert await talk(console, say) == ("0", 0, True)
    assert (await counted(console))["refused"] == {}


@in_source
async def test_a_sender_that_goes_on_after_its_end_is_cut_off(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it sends is read for a while, so that it can read why; but not for ever."""
    monkeypatch.setattr(f"{GRPC}._LAST_BYTES_S", 60.0)

    def say(peer: Peer) -> bool:
        peer.send(b"rubbish, which is no frame" * 4)
        assert peer.goaway().number and peer.is_over()
        try:
            for _ in range(100):
                peer.send(bytes(1 << 20))
        except OSError:
            return True
        return False

    assert await talk(console, say)
    assert (await counted(console))["refused"] == {"http2": 1}


@in_source
async def test_a_sender_that_does_not_read_its_end_is_cut_off(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{GRPC}._LAST_BYTES_S", 0.0)

    def say(peer: Peer) -> bool:
        peer.send(b"rubbish, which is no frame" * 4)
        return peer.is_over()

    assert await talk(console, say)


class Far:
    """A sender's connection without a socket."""

    def __init__(self) -> None:
        self.intake = intake.Intake(lambda _: True)
        self.connection = grpc.GrpcIntake(self.intake).connection()
        self.transport = FakeTransport()
        self.connection.connection_made(self.transport)
        self.peer = http2.Peer()

    async def get(self, *wire: bytes) -> list[http2.Frame]:
        """Bytes from the sender; the frames that go to it within a turn."""
        self.connection.data_received(b"".join(wire))
        await asyncio.sleep(0)
        return http2.parse(self.transport.take())

    async def ask(self, *, end: bool = False) -> None:
        """It begins an Export."""
        await self.get(http2.HELLO, self.export(1, end=end))

    def export(self, id: int, *, end: bool = False) -> bytes:
        """The head of one."""
        fields = [*http2.POST, (b"content-type", b"application/grpc"), (b"te", b"trailers")]
        fields[2] = (b":path", EXPORT.encode())
        return self.peer.headers(id, fields, end=end)

    async def answer(self, *wire: bytes) -> dict[bytes, bytes]:
        """All fields of the answer to it."""
        heads = [one for one in await self.get(*wire) if one.kind == 1]
        async with asyncio.timeout(WAIT_S):
            while not heads or not heads[-1].flags & 1:  # END_STREAM
                await asyncio.sleep(0.002)  # another thread reads the message
                heads += [one for one in http2.parse(self.transport.take()) if one.kind == 1]
        return dict(field for head in heads for field in self.peer.fields(head.payload))


@in_source
async def test_once_a_message_has_come_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it then takes to be read."""
    monkeypatch.setattr(f"{CALL}._READ_S", 0.0)
    far = Far()
    answer = await far.answer(http2.HELLO, far.export(1), http2.data(1, message(b""), end=True))
    assert answer[b"grpc-status"] == b"0"
    far.intake.close()


async def test_a_call_that_was_refused_and_is_then_taken_back_holds_nothing() -> None:
    far = Far()
    await far.ask()
    await far.get(http2.data(1, b"\0" + (99).to_bytes(4, "big")))
    assert far.intake._held == 5
    assert (await far.answer(http2.data(1, b"x" * 100)))[b"grpc-message"] == b"more than one message"
    assert far.intake._held == 0
    await far.get(http2.rst(1))
    assert far.intake._held == 0
    far.intake.close()


async def test_a_sender_may_take_back_100_calls_and_30_more_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    far = Far()
    await far.get(http2.HELLO)
    ids = iter(range(1, 1000, 2))

    async def taken_back(calls: int) -> list[int]:
        """The codes with which the connection ends."""
        frames = [one for id in islice(ids, calls) for one in await far.get(far.export(id), http2.rst(id))]
        return [int.from_bytes(one.payload[4:8], "big") for one in frames if one.kind == 7]

    assert await taken_back(100) == []
    now += 1.0
    assert await taken_back(30) == []
    assert await taken_back(1) == [11]  # ENHANCE_YOUR_CALM
    far.intake.close()


async def test_a_flood_of_frames_is_read_in_pieces_while_nothing_more_is_taken() -> None:
    far = Far()
    await far.ask()
    await far.get(http2.data(1, b"\0" + (2000).to_bytes(4, "big")))
    far.connection.data_received(http2.data(1, b"\0") * 1100)
    paused = [far.transport.is_reading_paused]
    for _ in range(4):
        await asyncio.sleep(0)
    assert [*paused, far.transport.is_reading_paused] == [True, False]
    frames = await far.get(http2.rst(1), http2.frame(6, 0, 0, b"are-here"))
    assert [one.payload for one in frames if one.kind == 6] == [b"are-here"]


async def test_what_waits_for_a_full_transport_goes_when_it_has_room() -> None:
    far = Far()
    await far.ask()
    far.connection.pause_writing()
    frames = await far.get(http2.data(1, message(b""), end=True))
    async with asyncio.timeout(WAIT_S):
        while not any(one.kind == 1 for one in frames):
            await asyncio.sleep(0.002)  # another thread reads the message
            frames += http2.parse(far.transport.take())
    assert [one.kind for one in frames if one.id] == [1]
    far.connection.resume_writing()
    await asyncio.sleep(0)
    assert [one.kind for one in http2.parse(far.transport.take())] == [0, 1]
    far.intake.close()


@in_source
async def test_a_sender_that_stays_behind_our_end_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{GRPC}._LAST_BYTES_S", 0.0)
    far = Far()
    frames = await far.get(b"rubbish, which is no frame" * 4)
    assert (frames[-1].kind, far.transport.is_ended, far.transport.is_closing()) == (7, True, False)
    for _ in range(100):
        if far.transport.is_aborted:
            break
        await asyncio.sleep(0.01)
    assert far.transport.is_aborted


async def test_no_more_than_32_calls_at_once(console: Console) -> None:
    def say(peer: Peer) -> tuple[int, int]:
        streams = [peer.call(EXPORT) for _ in range(33)]
        refused = peer.frame(3).stream  # RST_STREAM
        peer.data(streams[0], message(BODY), end=True)
        peer.answer(streams[0])
        return streams.index(refused), peer.their_settings[3]

    assert await talk(console, say) == (32, 32)


async def test_a_console_that_stops_says_goodbye() -> None:
    async with running() as console:
        peer = await asyncio.to_thread(knock, console)
        assert (await asyncio.to_thread(asked(message(BODY)), peer)).field("grpc-status") == "0"
    assert (peer.goaway().number, peer.is_over()) == (0, True)
    peer.close()


def test_the_bounds_of_a_connection() -> None:
    """Those that no page promises, and that a test above tries elsewhere."""
    assert (grpc._MOST_CONNECTIONS, grpc._MOST_HEADER_BYTES) == (1000, 32_768)
    assert (grpc._LAST_BYTES_S, grpc._MOST_DISCARDED, grpc._STOP_S) == (3.0, 1_048_576, 1.0)
    assert (grpc_call._READ_S, intake._READ_S, intake._MOST_HELD_BYTES) == (60.0, 60.0, 134_217_728)
