"""What is remembered of header names is bounded, and shows in nothing but time."""

from __future__ import annotations

import pytest

from ops_lib.propagation import Fields, Propagator, carrier
from ops_lib.propagation.fast.reader import MAX_STRANGER_LENGTH, MAX_STRANGERS, FastReader


def reader() -> FastReader[Fields]:
    """Without the fast path: what it gives is the fields."""
    names = carrier.known_names()
    return FastReader(
        names=names,
        spelled=Propagator().header_names,
        is_ours=lambda name: name.lower() in names,
        fast_path=None,
        in_full=lambda fields: fields,
        nothing={},
    )


@pytest.mark.parametrize("as_bytes", [False, True])
def test_what_is_full_is_forgotten_and_learnt_anew(as_bytes: bool) -> None:
    """Nobody can fill it up for good: the names that come after are remembered, too."""
    reads = reader()
    for n in range(3 * MAX_STRANGERS):
        name = f"x-{n}"
        assert reads.read([(name.encode(), b"1"), (b"b3", b"0")] if as_bytes else {name: "1", "b3": "0"}) == {
            "b3": ["0"]
        }
        known = reads.strangers_in_bytes if as_bytes else reads.strangers
        assert (name.encode() if as_bytes else name) in known
        assert len(known) <= MAX_STRANGERS
    assert not (reads.strangers if as_bytes else reads.strangers_in_bytes)


def test_long_names_are_not_remembered() -> None:
    reads = reader()
    name = "x" * (MAX_STRANGER_LENGTH + 1)
    for _ in range(2):
        assert reads.read({name: "1", "B3": "0"}) == {"b3": ["0"]}
    assert not reads.strangers


@pytest.mark.parametrize("name", ["b3", "B3", "TraceParent", b"b3"])
def test_ours_are_found_however_they_are_spelled(name: str | bytes) -> None:
    reads = reader()
    assert not reads.has_ours({})
    assert not reads.has_ours({"accept": "1", "X-Other": "2"})
    assert reads.has_ours({"accept": "1", name: "2"})
    assert not reads.has_ours({"accept": "1"})
