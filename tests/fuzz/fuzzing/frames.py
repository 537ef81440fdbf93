"""What a client may send on one connection, with a fault now and then."""

from __future__ import annotations

import random

from lab.http2 import GET, POST, SETTINGS_ACK, Fields, Peer, data, frame, rst, settings, window_update

from proxy.http2.engine import codes

# Lists that are not HTTP, or just are.
_ODD: tuple[Fields, ...] = (
    [],
    GET[1:],
    [*GET, (b":path", b"/")],
    [*GET[:2], (b"x-a", b"1"), *GET[2:]],
    [*GET, (b"X-Upper", b"1")],
    [*GET, (b"connection", b"close")],
    [*GET, (b"te", b"trailers")],
    [*GET, (b"te", b"gzip")],
    [*GET, (b"transfer-encoding", b"chunked")],
    [*GET, (b"x-a", b"a\nb")],
    [*GET, (b"x-a", b"a\x00b")],
    [*GET, (b"x a", b"1")],
    [*GET, (b"", b"1")],
    [*GET, (b":status", b"200")],
    [*GET, (b":other", b"1")],
    [*GET, (b"host", b"app")],
    [*GET[:3], (b"host", b"app")],
    [*GET, (b"x-empty", b"")],
    [(b":method", b"CONNECT"), (b":authority", b"app:1")],
    [(b":method", b"CONNECT"), *GET[1:]],
    [*POST, (b"content-length", b"-1")],
    [*POST, (b"content-length", b"1"), (b"content-length", b"2")],
)


class Client:
    """Writes frames, mostly as a client should."""

    def __init__(self, dice: random.Random, faults: float) -> None:
        self._dice = dice
        self._faults = faults
        self._peer = Peer()
        self._id = 1
        self._open: dict[int, int] = {}  # streams whose request goes on: content that is still announced, or -1

    def hello(self) -> bytes:
        """The preface and the first SETTINGS."""
        return codes.PREFACE + self._settings() + SETTINGS_ACK

    def frames(self) -> bytes:
        """Whatever comes next: one frame, or the frames of a block."""
        dice = self._dice
        if dice.random() < self._faults:
            return self._fault()
        kind = dice.random()
        if kind < 0.35 or not self._open:
            return self._request()
        id = dice.choice(list(self._open))
        if kind < 0.65:
            return self._content(id)
        if kind < 0.75:
            if self._open[id] > 0:
                return self._content(id)
            del self._open[id]
            return self._headers(id, [(b"x-end", b"1")], True)
        if kind < 0.8:
            del self._open[id]
            return rst(id, dice.choice((codes.CANCEL, codes.NO_ERROR, 0x77)))
        if kind < 0.85:
            return window_update(dice.choice((0, id)), dice.randrange(1, 1000))
        if kind < 0.9:
            return frame(codes.PING, dice.choice((0, codes.ACK)), 0, dice.randbytes(8))
        if kind < 0.95:
            return self._settings()
        if kind < 0.98:
            return frame(codes.PRIORITY, 0, id, b"\0\0\0\0\x10")
        return frame(dice.randrange(10, 256), dice.randrange(256), dice.randrange(20), dice.randbytes(5))

    def _settings(self) -> bytes:
        dice = self._dice
        known = (
            (codes.HEADER_TABLE_SIZE, dice.choice((0, 100, 4096, 65536))),
            (codes.ENABLE_PUSH, dice.randrange(2)),
            (codes.MAX_CONCURRENT_STREAMS, dice.randrange(100)),
            (codes.INITIAL_WINDOW_SIZE, dice.choice((0, 1, 65535, 1 << 20))),
            (codes.MAX_FRAME_SIZE, dice.choice((16384, 16385, (1 << 24) - 1))),
            (codes.MAX_HEADER_LIST_SIZE, dice.randrange(1 << 20)),
            (0x99, 7),
        )
        return settings(*dice.sample(known, dice.randrange(len(known))))

    def _request(self) -> bytes:
        dice = self._dice
        id, self._id = self._id, self._id + 2 * dice.choice((1, 1, 1, 2))
        if dice.random() < 0.4:
            return self._headers(id, [*GET, (b"x-n", b"%d" % dice.randrange(100))], True)
        length = dice.choice((-1, -1, 0, 5, 20))
        self._open[id] = length
        return self._headers(id, [*POST, (b"content-length", b"%d" % length)] if length >= 0 else POST, False)

    def _content(self, id: int) -> bytes:
        dice = self._dice
        left = self._open[id]
        size = dice.randrange(30) if left < 0 else dice.randrange(left + 1)
        content = dice.randbytes(size)
        end = dice.random() < 0.4 and left in (-1, size)
        if left >= 0:
            self._open[id] = left - size
        if end:
            del self._open[id]
        if dice.random() < 0.2:
            padding = dice.randrange(20)
            flags = codes.PADDED | (codes.END_STREAM if end else 0)
            return frame(codes.DATA, flags, id, bytes((padding,)) + content + bytes(padding))
        return data(id, content, end=end)

    def _headers(self, id: int, fields: Fields, end: bool) -> bytes:
        dice = self._dice
        block = self._peer.block(fields)
        flags = codes.END_STREAM if end else 0
        before = b""
        if dice.random() < 0.1:
            flags |= codes.PRIORITY_FLAG
            before = b"\0\0\0\0\x10"
        cuts = sorted(dice.randrange(len(block) + 1) for _ in range(dice.choice((0, 0, 0, 1, 3))))
        parts = [block[a:b] for a, b in zip([0, *cuts], [*cuts, len(block)], strict=True)]
        wire = b""
        for number, part in enumerate(parts):
            last = codes.END_HEADERS if number == len(parts) - 1 else 0
            kind, flags = (codes.CONTINUATION, 0) if number else (codes.HEADERS, flags)
            wire += frame(kind, flags | last, id, part if number else before + part)
        return wire

    def _fault(self) -> bytes:
        """Something that a client should not send, or hardly ever does."""
        dice = self._dice
        kind = dice.randrange(9)
        id = dice.choice((0, 1, 2, 3, self._id, self._id + 10, *self._open))
        if kind < 3:
            new, self._id = self._id, self._id + 2
            return self._headers(new, dice.choice(_ODD), dice.random() < 0.7)
        if kind == 3:
            return self._headers(id, GET, dice.random() < 0.5) if id else frame(codes.HEADERS, 4, 0, b"\x82")
        if kind == 4:
            return dice.choice((data(id, b"odd"), data(id, b"odd", end=True), rst(id), window_update(id, 0)))
        if kind == 5:
            return window_update(id, dice.choice((1, 0x7FFFFFFF)))
        if kind == 6:
            return dice.choice((frame(codes.PUSH_PROMISE, 4, 1, b"\0\0\0\2\x82"), frame(codes.CONTINUATION, 4, id)))
        if kind == 7:
            wrong = (
                (codes.ENABLE_PUSH, 2),
                (codes.INITIAL_WINDOW_SIZE, 1 << 31),
                (codes.MAX_FRAME_SIZE, 1),
                (codes.INITIAL_WINDOW_SIZE, 0x7FFFFFFF),
            )
            return settings(dice.choice(wrong))
        # Not GOAWAY: libnghttp2 ignores what comes behind a client's.
        any_type = dice.choice([kind for kind in range(10) if kind != codes.GOAWAY])
        return frame(any_type, dice.randrange(256), id, dice.randbytes(dice.randrange(12)))
