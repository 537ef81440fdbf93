"""Laws: both ends, joined by a wire that cuts bytes anywhere, whatever their users do and however often they pause."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lab.http2 import GET, HELLO, POST, Peer, data, frame, rst, window_update
from lab.http2 import settings as settings_frame
from lab.http2_ends import ClientEnd, Owner, ServerEnd

from proxy.http2.engine import codes
from proxy.http2.engine.heads import status_field
from proxy.http2.engine.limits import Limits
from proxy.http2.engine.streams import Stream
from proxy.http2.hpack.field import HeaderField

LIMITS = st.tuples(
    st.integers(1, 5),
    st.sampled_from([0, 100, 4096]),
    st.sampled_from([65535, 200_000]),
    st.sampled_from([65535, 100_000]),
    st.sampled_from([0, 100_000]),
).map(
    lambda drawn: Limits(
        max_streams=drawn[0],
        table_bytes=drawn[1],
        most_stream_window=drawn[2],
        connection_window=drawn[3],
        max_held_bytes=drawn[4],
    )
)
SIZES = st.sampled_from([0, 1, 100, 16384, 16385, 40000, 70000])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["open", "send", "answer", "respond", "hold", "release", "reset", "carry", "carry", "pause", "resume"]
        ),
        st.integers(0, 9),
        SIZES,
        st.booleans(),
    ),
    max_size=60,
)


class Wire:
    """Both ends, and the bytes under way."""

    def __init__(self, client_limits: Limits, server_limits: Limits) -> None:
        self.client = ClientEnd(client_limits, hello=b"")
        self.server = ServerEnd(server_limits, hello=codes.PREFACE)
        self.to_server = self.to_client = b""
        self.sent: dict[Any, bytearray] = {}
        self.asking: list[Stream] = []
        self.server.engine.resume_sending()
        # Their first frames were taken off the engines by the lab: give them to the other end.
        for first, end in ((self.client.first, self.server), (self.server.first, self.client)):
            end.get(*(frame(*one) for one in first))

    def carry(self, size: int) -> None:
        """Some bytes each way."""
        self.to_server += self.client.engine.take_output()
        self.to_client += self.server.engine.take_output()
        size = size or 1 << 30
        now, self.to_server = self.to_server[:size], self.to_server[size:]
        if now:
            behind = self.server.engine.feed(now, 0.0)
            while behind:
                behind = self.server.engine.feed(b"", 0.0)
        now, self.to_client = self.to_client[:size], self.to_client[size:]
        if now:
            behind = self.client.engine.feed(now, 0.0)
            while behind:
                behind = self.client.engine.feed(b"", 0.0)

    def settle(self) -> None:
        """Until nothing moves."""
        for _ in range(10_000):
            before = len(self.client.owner.told), len(self.server.owner.told)
            self.carry(0)
            idle = not (self.to_client or self.to_server)
            engines = (self.client.engine, self.server.engine)
            if idle and before == (len(self.client.owner.told), len(self.server.owner.told)):
                self.to_server += self.client.engine.take_output()
                self.to_client += self.server.engine.take_output()
                if not (self.to_client or self.to_server or any(engine.has_more for engine in engines)):
                    return
        raise AssertionError("it never comes to rest")


def received(owner: Owner, name: object) -> bytes:
    return b"".join(told[2] for told in owner.told if told[0] == name and told[1] == "content")


@settings(max_examples=40, deadline=None)
@given(LIMITS, LIMITS, STEPS)
def test_whatever_is_sent_arrives_in_order(
    client_limits: Limits, server_limits: Limits, steps: list[tuple[str, int, int, bool]]
) -> None:
    wire = Wire(client_limits, server_limits)
    sent: dict[object, bytes] = {}
    answered: dict[int, bytes] = {}
    was_reset: set[object] = set()
    for number, (step, which, size, flag) in enumerate(steps):
        content = bytes((number + at) & 0xFF for at in range(min(size, 251))) * (size // 251 + 1)
        content = content[:size]
        if step == "open" and wire.client.engine.room > 0:
            name = f"c{len(wire.asking)}"
            wire.asking.append(wire.client.open([*POST, (b"x-name", name.encode())], end=False, name=name))
            sent[name] = b""
        elif step == "send" and wire.asking:
            stream = wire.asking[which % len(wire.asking)]
            if not stream.is_over and not stream.is_queued_done:
                sent[f"c{which % len(wire.asking)}"] += content
                stream.send(content, flag)
        elif step in ("answer", "respond") and wire.server.owner.streams:
            ids = sorted(wire.server.owner.streams)
            id = ids[which % len(ids)]
            answer = wire.server.owner.streams[id]
            if not answer.is_over and not answer.is_queued_done:
                if id not in answered:
                    answer.send_headers([status_field(200)], [], False)
                    answered[id] = b""
                if step == "answer":
                    answered[id] += content
                    answer.send(content, flag)
                elif flag:
                    answer.send_headers([HeaderField(b"x-end", b"1")], [], True)
        elif step in ("hold", "release"):
            streams = [*wire.asking, *wire.server.owner.streams.values()]
            if streams:
                streams[which % len(streams)].hold(step == "hold")
        elif step == "reset" and wire.asking and flag:
            stream = wire.asking[which % len(wire.asking)]
            was_reset.add(f"c{which % len(wire.asking)}")
            stream.reset(codes.CANCEL)
        elif step == "carry":
            wire.carry(size)
        elif step in ("pause", "resume"):
            end = (wire.client if flag else wire.server).engine
            (end.pause_sending if step == "pause" else end.resume_sending)()
    for end in (wire.client.engine, wire.server.engine):
        end.resume_sending()
    for stream in [*wire.asking, *wire.server.owner.streams.values()]:
        stream.hold(False)
    wire.settle()
    for stream in wire.server.owner.streams.values():
        stream.hold(False)
    wire.settle()
    assert not wire.client.engine.is_failed
    assert not wire.server.engine.is_failed
    client_told, server_told = wire.client.owner.told, wire.server.owner.told
    for id, stream in wire.server.owner.streams.items():
        name = next(f.value for f in wire.server.owner.heads[id].plain if f.name == b"x-name").decode()
        ended_early = name in was_reset or any(t[:2] == (id, "reset") for t in server_told) or stream.is_over
        got = received(wire.server.owner, id)
        assert got == sent[name] or (ended_early and sent[name].startswith(got))
        back = received(wire.client.owner, name)
        early = name in was_reset or any(t[:2] == (name, "reset") for t in client_told)
        assert back == answered.get(id, b"") or (early and answered.get(id, b"").startswith(back))
    for engine in (wire.client.engine, wire.server.engine):
        assert (
            engine._held_bytes
            == sum(stream.receive.owed for stream in engine.streams.values() if stream.receive is not None)
            == 0
        )
        assert not engine._ready or engine._window <= 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 11), max_size=30), st.lists(st.integers(1, 40), min_size=1, max_size=10))
def test_pieces_of_any_size_mean_the_same(choices: list[int], sizes: list[int]) -> None:
    def wire() -> bytes:
        peer = Peer()
        made, id = [HELLO], 1
        for choice in choices:
            if choice == 0:
                made.append(peer.headers(id, POST))
            elif choice == 1:
                made.append(data(id, b"content"))
            elif choice == 2:
                made.append(data(id, b"the end", end=True))
                id += 2
            elif choice == 3:
                made.append(peer.headers(id, GET, end=True))
                id += 2
            elif choice == 4:
                made.append(rst(id))
                id += 2
            elif choice == 5:
                made.append(settings_frame((codes.INITIAL_WINDOW_SIZE, 100)))
            elif choice == 6:
                made.append(window_update(id, 10))
            elif choice == 7:
                made.append(frame(codes.PING, 0, 0, bytes(8)))
            elif choice == 8:
                block = peer.block(POST)
                made.append(frame(codes.HEADERS, 0, id, block[:3]))
                made.append(frame(codes.CONTINUATION, codes.END_HEADERS, id, block[3:]))
            elif choice == 9:
                made.append(window_update(0, 10))
            elif choice == 10:
                made.append(peer.headers(id, [(b"x-end", b"1")], end=True))
                id += 2
            else:
                made.append(frame(0x77, 1, id, b"abc"))
        return b"".join(made)

    whole, pieces = ServerEnd(hello=b""), ServerEnd(hello=b"")
    frames = whole.get(wire())
    again, at, turn = [], 0, 0
    stream = wire()
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        again += pieces.get(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert whole.told == pieces.told
    assert frames == again


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 11), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=30)), max_size=20
    ),
    st.booleans(),
)
def test_no_frames_at_all_make_it_raise(frames: list[tuple[int, int, int, bytes]], as_server: bool) -> None:
    end: ServerEnd | ClientEnd = ServerEnd() if as_server else ClientEnd()
    if isinstance(end, ClientEnd):
        for _ in range(3):
            end.open(POST, end=False)
    else:
        for id in (1, 3, 5):
            end.request(id, POST, end=False)
    for one in frames:
        for out in end.get(frame(*one)):
            assert out.kind in range(10)
        if not isinstance(end, ClientEnd):
            for stream in list(end.owner.streams.values()):
                stream.send(b"x", False)
    engine = end.engine
    assert engine.is_failed or engine._receive.left >= 0
    engine.lost()
    assert engine.is_idle
    assert engine._held_bytes == 0
