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
