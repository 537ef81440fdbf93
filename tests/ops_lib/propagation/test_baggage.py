"""Baggage as a value; what crosses the wire stands in the vectors."""

from ops_lib.propagation import Baggage, Member
from ops_lib.propagation.baggage import MAX_BYTES, extract, write_jaeger, write_w3c

BAGGAGE = Baggage((Member("a", "x%20y;p=1"), Member("b", "2")))


def test_get_decodes_and_leaves_properties_out() -> None:
    assert BAGGAGE.get("a") == "x y"
    assert BAGGAGE.get("b") == "2"
    assert BAGGAGE.get("c") is None


def test_with_member_encodes_and_replaces() -> None:
    changed = BAGGAGE.with_member("a", 'é ,;"\\%')
    assert changed.members == (Member("b", "2"), Member("a", "%C3%A9%20%2C%3B%22%5C%25"))
    assert changed.get("a") == 'é ,;"\\%'


def test_text_beyond_latin_1_is_encoded() -> None:
    """A program's own carrier may hold any text."""
    found, refused = extract({"baggage": ["a=€"], "uberctx-b": ["日 x"]}, jaeger=True, jaeger_first=False)
    assert refused is None
    assert found == Baggage((Member("a", "%E2%82%AC"), Member("b", "%E6%97%A5%20x")))


def test_no_text_is_too_odd() -> None:
    """aiohttp decodes headers as UTF-8 and leaves surrogates for what is none; other programs leave worse."""
    found, refused = extract({"baggage": ["a=x\udc80"], "uberctx-b": ["\udcff\ud800"]}, jaeger=True, jaeger_first=False)
    assert refused is None
    assert found == Baggage((Member("a", "x%80"), Member("b", "%FF%3F")))


def test_a_member_that_does_not_fit_makes_room_for_a_shorter_one() -> None:
    big = Baggage((Member("a", "x" * MAX_BYTES), Member("b", "2")))
    for write, want in ((write_w3c, [("baggage", "b=2")]), (write_jaeger, [("uberctx-b", "2")])):
        headers: list[tuple[str, str]] = []
        assert write(big, headers)
        assert headers == want


def test_exactly_8192_bytes_fit() -> None:
    """Counted with every "=", and in W3C's one header with every ","."""
    headers: list[tuple[str, str]] = []
    assert not write_w3c(Baggage((Member("a", "x" * (8192 - 6)), Member("b", "2"))), headers)
    assert len(headers[0][1]) == 8192
    assert write_w3c(Baggage((Member("a", "x" * (8192 - 5)), Member("b", "2"))), [])
    assert not write_jaeger(Baggage((Member("a", "x" * (8192 - 5)), Member("b", "2"))), [])
    assert write_jaeger(Baggage((Member("a", "x" * (8192 - 4)), Member("b", "2"))), [])


def test_control_characters_are_refused() -> None:
    found, refused = extract({"baggage": ["a=x\x00y,b=c\r\nd"], "uberctx-e": ["f\ng"]}, jaeger=True, jaeger_first=False)
    assert found is None
    assert refused == "shape"
