"""What is remembered of peers: by which names, and how much."""

from __future__ import annotations

from ops_lib.propagation import Format
from proxy.participation.mirror import MAX_NAME, MOST_PEERS, Mirror

B3, W3C = (Format.B3,), (Format.TRACECONTEXT,)


def test_a_peer_is_known_by_its_address_and_by_its_names() -> None:
    mirror = Mirror()
    mirror.heard("10.0.0.1", ("Billing.internal", "*.mesh"), "b3")
    assert mirror.speaks("10.0.0.1") == mirror.speaks("billing.INTERNAL") == B3
    assert mirror.speaks("a.mesh") is mirror.speaks("*.mesh") is None
    assert mirror.app_speaks() is None


def test_formats_are_written_in_one_order() -> None:
    mirror = Mirror()
    mirror.heard("a", (), "jaeger,b3")
    mirror.heard("b", (), "b3,jaeger")
    assert mirror.speaks("a") == mirror.speaks("b") == (Format.B3, Format.JAEGER)


def test_a_request_without_a_valid_header_says_nothing() -> None:
    mirror = Mirror()
    mirror.heard("a", (), "b3")
    mirror.heard("a", (), "")
    mirror.heard_app("")
    assert (mirror.speaks("a"), mirror.app_speaks()) == (B3, None)


def test_the_app_is_known_by_what_it_called_with_last() -> None:
    mirror = Mirror()
    mirror.heard_app("b3")
    assert (mirror.app_speaks(), len(mirror)) == (B3, 1)
    mirror.heard_app("tracecontext")
    assert (mirror.app_speaks(), len(mirror)) == (W3C, 1)
    assert mirror.speaks("10.0.0.1") is None


def test_a_host_is_known_by_where_it_was_reached_last() -> None:
    mirror = Mirror()
    mirror.heard("10.0.0.1", (), "b3")
    mirror.heard("10.0.0.2", (), "tracecontext")
    mirror.reached("billing", "10.0.0.1")
    assert mirror.speaks("billing") == B3
    mirror.reached("billing", "10.0.0.2")
    assert mirror.speaks("billing") == W3C
    mirror.reached("", "10.0.0.1")
    mirror.reached("billing", "")
    assert (mirror.speaks(""), mirror.speaks("billing")) == (None, W3C)


def test_the_longest_unseen_makes_room() -> None:
    mirror = Mirror()
    mirror.heard("first", (), "b3")
    mirror.heard("second", (), "b3")
    for number in range(MOST_PEERS - 2):
        mirror.heard(f"10.{number}", (), "b3")
    mirror.heard("first", (), "b3")
    mirror.heard("last", (), "b3")
    assert len(mirror) == MOST_PEERS
    assert (mirror.speaks("first"), mirror.speaks("second")) == (B3, None)
    for number in range(MOST_PEERS + 9):
        mirror.reached(f"host-{number}", "first")
    assert mirror.speaks("host-0") is None


def test_long_names_are_not_remembered() -> None:
    mirror = Mirror()
    mirror.heard("a" * (MAX_NAME + 1), ("b" * MAX_NAME,), "b3")
    assert len(mirror) == 1
