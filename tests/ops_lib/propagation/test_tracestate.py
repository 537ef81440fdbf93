"""The list in `tracestate`; what crosses the wire stands in the vectors."""

import pytest

from ops_lib.propagation.tracestate import MAX_LENGTH, read, write


def test_own_member_is_told_apart() -> None:
    assert read(["a=1,ops=s:d,b=2"]) == ("a=1,b=2", "s:d")
    assert read(["ops=s:d"]) == ("", "s:d")
    assert read(["a=1"]) == ("a=1", "")
    assert read(["ops@x=1"]) == ("ops@x=1", "")


def test_own_member_is_never_cut() -> None:
    others = ",".join(f"k{n:02d}={'v' * 100}" for n in range(10))
    value = write("ops=s:d;w:16", others)
    assert value.startswith("ops=s:d;w:16,k00=")
    assert len(value) <= MAX_LENGTH
    assert write("ops=s:d", "k=" + "v" * 600) == "ops=s:d"


def test_the_33rd_member_goes_when_ours_comes_first() -> None:
    others = ",".join(f"k{n:02d}=1" for n in range(32))
    members = write("ops=s:d", others).split(",")
    assert len(members) == 32
    assert members[0] == "ops=s:d"
    assert members[-1] == "k30=1"


@pytest.mark.parametrize("count", [100, 10_000])
def test_reading_stays_linear(count: int) -> None:
    """Too many members are refused without looking at all of them; no member makes the pattern go back and forth."""
    assert read([",".join(["a=1"] * count)]) is None
    assert read(["a" * count * 10]) is None
    assert read(["a=" + "v" * count * 10]) is None


def test_empty_members_are_passed_over_however_many() -> None:
    assert read(["," * 60_000 + " \t," * 1000 + "a=1"]) == ("a=1", "")


def member(name: str, length: int) -> str:
    return f"{name}={'v' * (length - 2)}"


@pytest.mark.parametrize(("last", "kept"), [(53, "labc"), (54, "abc")])
def test_long_members_go_from_the_end_until_512_characters_are_left(last: int, kept: str) -> None:
    """Those over 128 characters go first, and no more of them than have to."""
    members = {"l": member("l", 200), "a": member("a", 128), "b": member("b", 128), "c": member("c", last)}
    assert len(",".join(members.values())) == 459 + last
    assert write("", ",".join([*members.values(), member("m", 129)])) == ",".join(members[name] for name in kept)


@pytest.mark.parametrize(("last", "kept"), [(125, "abcd"), (126, "abc")])
def test_short_members_go_from_the_end_until_512_characters_are_left(last: int, kept: str) -> None:
    members = {name: member(name, 128) for name in "abc"} | {"d": member("d", last)}
    assert write("", ",".join([*members.values(), "z=1"])) == ",".join(members[name] for name in kept)
