"""Lists in fields: what they hold, and how long one may be before nobody reads it."""

from __future__ import annotations

import pytest

from proxy.http1.message.lists import MAX_OPTIONS, is_offered, is_too_long, members, real_upgrade, takes_trailers


def many(member: bytes, count: int) -> bytes:
    return b",".join([member] * count)


def test_members_are_lower_case_without_parameters_and_white_space() -> None:
    assert members(b"Close , X-A;q=1;r=2,\tb") == {b"close", b"x-a", b"b"}


def test_connection_has_a_limit() -> None:
    assert not is_too_long(many(b"a", MAX_OPTIONS))
    assert is_too_long(many(b"a", MAX_OPTIONS + 1))


def test_sixteen_protocols_are_offered_and_no_more() -> None:
    assert real_upgrade(many(b"a/1", 16)) == b", ".join([b"a/1"] * 16)
    assert real_upgrade(many(b"a/1", 17)) == b""


def test_sixteen_protocols_are_switched_to_and_no_more() -> None:
    assert is_offered(many(b"a", 16), b"a")
    assert not is_offered(many(b"a", 17), b"a")


@pytest.mark.parametrize("te,takes", [(b"trailers", True), (b"gzip;q=0.5 , Trailers", True), (b"gzip", False)])
def test_trailers_are_taken_where_te_says_so(te: bytes, takes: bool) -> None:
    assert takes_trailers(te) is takes


def test_a_te_field_of_sixteen_members_is_read_and_no_longer_one() -> None:
    assert takes_trailers(many(b"gzip", 15) + b",trailers")
    assert not takes_trailers(many(b"gzip", 16) + b",trailers")
