"""Heads of old upstreams, mended way by way; what is not asked for stays refused, or as it came."""

from __future__ import annotations

import pytest

from proxy.http1.message.lenient import LenientHeads
from proxy.semantics.faults import Fault, Refusal

ALL = frozenset({"bare-lf", "obs-fold", "equal-lengths", "head-framing"})
OK = b"HTTP/1.1 200 OK"


def mended(head: bytes, *ways: str, method: bytes = b"GET") -> bytes | None:
    return LenientHeads(frozenset(ways), 1000, method).feed(head)


@pytest.mark.parametrize(
    ("way", "came", "goes"),
    [
        ("bare-lf", OK + b"\nA: 1\nB: 2\n\nrest", OK + b"\r\nA: 1\r\nB: 2\r\n\r\nrest"),
        ("bare-lf", OK + b"\r\nA: 1\n\r\n\n", OK + b"\r\nA: 1\r\n\r\n\n"),
        ("bare-lf", OK + b"\n\n", OK + b"\r\n\r\n"),
        ("obs-fold", OK + b"\r\nA: 1\r\n 2\r\n\t3\r\n\r\n", OK + b"\r\nA: 1 2 3\r\n\r\n"),
        ("obs-fold", OK + b"\r\n\r\n", OK + b"\r\n\r\n"),
        ("equal-lengths", OK + b"\r\nContent-Length: 5\r\nA: 1\r\ncontent-length: 5\r\n\r\n",
         OK + b"\r\nA: 1\r\nContent-Length: 5\r\n\r\n"),
        ("equal-lengths", OK + b"\r\nContent-Length: 5, 5\r\n\r\n", OK + b"\r\nContent-Length: 5\r\n\r\n"),
        ("equal-lengths", OK + b"\r\nContent-Length:5\r\ncontent-length:\t5 \r\n\r\n",
         OK + b"\r\nContent-Length: 5\r\n\r\n"),
        ("equal-lengths", OK + b"\r\nContent-Length: 5\r\nContent-Length: 5x\r\n\r\n",
         OK + b"\r\nContent-Length: 5\r\nContent-Length: 5x\r\n\r\n"),
        ("equal-lengths", OK + b"\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
         OK + b"\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
        ("equal-lengths", OK + b"\r\nA: 1\r\n\r\n", OK + b"\r\nA: 1\r\n\r\n"),
    ],
)  # fmt: skip
def test_each_way_alone(way: str, came: bytes, goes: bytes) -> None:
    assert mended(came, way) == goes
    if way != "bare-lf":
        others = ALL - {way, "bare-lf"}
        assert mended(came, *others) == came


@pytest.mark.parametrize(("method", "is_mended"), [(b"HEAD", True), (b"GET", False)])
def test_a_length_beside_chunks_goes_from_the_answer_to_head_alone(method: bytes, is_mended: bool) -> None:
    came = OK + b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    goes = OK + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert mended(came, "head-framing", method=method) == (goes if is_mended else came)
    assert mended(came, "obs-fold", method=method) == came
    alone = OK + b"\r\nContent-Length: 5\r\n\r\n"
    assert mended(alone, "head-framing", method=method) == alone


@pytest.mark.parametrize("wrong", [b"\x00", b"\x0b", b"\x1f", b"\x7f", b"\n", b"\rx"])
def test_control_characters_are_refused_at_once(wrong: bytes) -> None:
    repair = LenientHeads(frozenset({"obs-fold"}), 1000, b"GET")
    with pytest.raises(Refusal) as caught:
        repair.feed(OK + b"\r\nA: 1" + wrong)
    assert caught.value.fault is Fault.BAD_RESPONSE
    assert caught.value.detail == "a control character, or a CR or LF that stands alone, in the head"
    assert LenientHeads(frozenset({"bare-lf"}), 1000, b"GET").feed(OK + b"\r\nA: 1" + wrong) is None


def test_a_head_may_come_byte_by_byte() -> None:
    whole = OK + b"\r\nA: 1\r\n 2\r\n\r\n"
    repair = LenientHeads(frozenset({"obs-fold"}), len(whole), b"GET")
    assert [repair.feed(whole[at : at + 1]) for at in range(len(whole) - 1)] == [None] * (len(whole) - 1)
    assert repair.feed(whole[-1:]) == OK + b"\r\nA: 1 2\r\n\r\n"


def test_a_head_has_a_limit() -> None:
    assert LenientHeads(ALL, 20, b"GET").feed(b"x" * 20) is None
    with pytest.raises(Refusal) as caught:
        LenientHeads(ALL, 20, b"GET").feed(b"x" * 21)
    assert caught.value.fault is Fault.RESPONSE_HEAD_TOO_LARGE
    assert caught.value.detail == "the upstream's head is longer than 20 bytes"
