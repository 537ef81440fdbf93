"""The heaviest heads that the default limits let through: 64 KiB, 100 fields.
`make stall` measures the cost of each.
Each module tests that its cost stays linear, or small.
"""

from __future__ import annotations

from random import Random

_BYTES = 60_000
_FIELDS = 97
_TRACE = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_JAEGER = b"uber-trace-id: 0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1"


def _filled(unit: bytes, size: int = _BYTES) -> bytes:
    return (unit * (size // len(unit) + 1))[:size]


def _one(name: bytes, unit: bytes, *beside: bytes) -> list[bytes]:
    """One field of the greatest length."""
    return [*beside, name + b": " + _filled(unit)]


def _many(name: bytes, unit: bytes, *beside: bytes) -> list[bytes]:
    """As many fields of this name as allowed, each of the greatest length."""
    return [*beside, *[name + b": " + _filled(unit, 580)] * (_FIELDS - len(beside))]


def _numbered(form: bytes, count: int, joint: bytes = b",") -> bytes:
    return joint.join(form % number for number in range(count))


def requests(dice: Random) -> dict[str, list[bytes]]:
    """Fields of requests by what is heavy about them; names that are to be new are new in each call."""
    mark = dice.getrandbits(64)
    return {
        "semicolons": _one(b"X", b";"),
        "white space": _one(b"X", b" "),
        "8 bit": _one(b"X", b"\xff"),
        "Cookie": _one(b"Cookie", b"a=b; "),
        "multipart": _one(b"Content-Type", b"multipart/form-data; a=b;"),
        "Accept-Encoding": _one(b"Accept-Encoding", b"gzip;q=0.1, "),
        "Upgrade": _one(b"Upgrade", b"a,", b"Connection: upgrade"),
        "Upgrade many": _many(b"Upgrade", b"a,", b"Connection: upgrade"),
        "Upgrade numbered": [b"Connection: upgrade", b"Upgrade: " + _numbered(b"p%d/1", 8000)],
        "Connection": _one(b"Connection", b"a,"),
        "Connection many": _many(b"Connection", b"a,"),
        "Connection named": [b"Connection: " + _numbered(b"f%d", 128)] + [b"F%d: 1" % number for number in range(98)],
        "TE": _one(b"TE", b"a,"),
        "TE many": _many(b"TE", b"a;q=1,"),
        "Trailer": _one(b"Trailer", b"a,", b"Transfer-Encoding: chunked"),
        "Trailer many": _many(b"Trailer", b"a,", b"Transfer-Encoding: chunked"),
        "Transfer-Encoding": _one(b"Transfer-Encoding", b"chunked,"),
        "Content-Length": _one(b"Content-Length", b"1"),
        "Expect": _one(b"Expect", b"a"),
        "Max-Forwards": _one(b"Max-Forwards", b"1"),
        "Keep-Alive": _one(b"Keep-Alive", b"timeout=1,"),
        "Via": _one(b"Via", b"1.1 a,"),
        "Via many": _many(b"Via", b"1.1 a,"),
        "X-Forwarded-For": _one(b"X-Forwarded-For", b"1.1.1.1,"),
        "X-Forwarded-For many": _many(b"X-Forwarded-For", b"1.1.1.1,"),
        "Forwarded": _one(b"Forwarded", b"for=1,"),
        "new names": [b"%x-%d: 1" % (mark, number) for number in range(98)],
        "new long names": [b"%x-%d%b: 1" % (mark, number, b"a" * 560) for number in range(98)],
        "new name": [b"%x%b: 1" % (mark, b"a" * _BYTES)],
        "uberctx": [_JAEGER] + [b"uberctx-%x-%d: %b" % (mark, number, b"v" * 500) for number in range(97)],
        "uberctx encoded": [_JAEGER] + [b"uberctx-%x-%d: %b" % (mark, number, b"%41" * 170) for number in range(97)],
        "baggage": [b"baggage: " + _numbered(b"k%d=v", 6000)],
        "baggage encoded": [b"baggage: " + _numbered(b"k%d=%%41", 5000)],
        "baggage commas": _one(b"baggage", b","),
        "baggage properties": [b"baggage: a=b" + b";c=d" * 14_000],
        "baggage semicolons": [b"baggage: a=b" + b";" * 50_000],
        "baggage white space": [b"baggage: a" + b" " * 59_000 + b"=b"],
        "baggage many": [b"baggage: " + _numbered(b"k%d=v", 80) for _ in range(98)],
        "jaeger-baggage": [b"jaeger-baggage: " + _numbered(b"k%d=v", 6000)],
        "tracestate": [_TRACE, b"tracestate: " + _numbered(b"k%d=v", 6000)],
        "tracestate commas": _one(b"tracestate", b",", _TRACE),
        "tracestate white space": [_TRACE, b"tracestate: a=b" + b" " * 59_000 + b"c"],
        "tracestate long": [_TRACE, b"tracestate: " + b",".join(b"k%d=%b" % (n, b"v" * 250) for n in range(32))],
        "tracestate many": [_TRACE] + [b"tracestate: k%d=v" % number for number in range(97)],
        "traceparent": [_TRACE.replace(b"00-", b"cc-", 1) + b"-" + b"a" * 59_000],
        "traceparent many": [_TRACE] * 98,
        "b3": _one(b"b3", b"a-"),
        "b3 zeros": _one(b"b3", b"0"),
        "b3 many": [b"b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"] * 98,
        "uber-trace-id zeros": [b"uber-trace-id: " + b"0" * 59_000 + b":1:0:1"],
        "uber-trace-id colons": _one(b"uber-trace-id", b":"),
        "session": _one(b"X-Mirascope-Session-Id", b"a"),
        "session joined": _one(b"X-Mirascope-Session-Id", b"s1, "),
        "session many": _many(b"X-Mirascope-Session-Id", b"\x80, "),
    }


def hosts() -> dict[str, bytes]:
    """Values of Host by what is heavy about them."""
    return {
        "labels": _filled(b"a."),
        "digits": _filled(b"1."),
        "IPv6": b"[" + _filled(b"::") + b"]",
        "name": _filled(b"a"),
        "port": b"a:" + _filled(b"1"),
    }


def responses(dice: Random) -> dict[str, list[bytes]]:
    """The same of responses, which may have 256 fields."""
    mark = dice.getrandbits(64)
    return {
        "plain": [b"X-%x-%d: 1" % (mark, number) for number in range(250)],
        "known": [b"X-A: 1"] * 250,
        "Connection": _one(b"Connection", b"a,"),
        "Connection named": [b"Connection: " + _numbered(b"x-%d", 128)] + [b"X-%d: 1" % n for n in range(250)],
        "Upgrade": _one(b"Upgrade", b"a,", b"Connection: upgrade"),
        "Keep-Alive": _one(b"Keep-Alive", b"timeout=,"),
        "Trailer": [b"Trailer: " + _filled(b"a,", 220)] * 250,
    }
