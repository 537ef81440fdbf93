"""Baggage as a value, and its limits; what crosses the wire stands in the vectors."""

from __future__ import annotations

import pytest

from ops_lib.propagation import REQUEST_BYTES, REQUEST_FIELDS, Baggage, Beside, Malformed, Member
from ops_lib.propagation.baggage import (
    MAX_BYTES,
    MAX_LINE,
    MAX_UBERCTX,
    NOTHING_BESIDE,
    encode,
    extract,
    write,
)

BAGGAGE = Baggage((Member("a", "x%20y;p=1"), Member("b", "2")))
Headers = list[tuple[str, str]]


def written(baggage: Baggage, *, w3c: bool = False, jaeger: bool = False, beside: Beside = NOTHING_BESIDE) -> Headers:
    headers: Headers = []
    write(baggage, headers, w3c=w3c, jaeger=jaeger, beside=beside)
    return headers


def size(headers: Headers) -> int:
    """Bytes of the fields as they go over the wire."""
    return sum(len(f"{name}: {value}\r\n".encode()) for name, value in headers)


def members(count: int, length: int = 1) -> Baggage:
    return Baggage(tuple(Member(f"k{n:03d}", "v" * length) for n in range(count)))


def test_get_decodes_and_leaves_properties_out() -> None:
    assert BAGGAGE.get("a") == "x y"
    assert BAGGAGE.get("b") == "2"
    assert BAGGAGE.get("c") is None


def test_the_last_of_equal_keys_counts() -> None:
    twice = Baggage((Member("a", "1"), Member("b", "2"), Member("a", "3")))
    assert twice.get("a") == "3"
    assert twice.decoded() == {"a": "3", "b": "2"}
    assert twice.with_member("a", "4").members == (Member("b", "2"), Member("a", "4"))


def test_with_member_encodes_and_replaces() -> None:
    changed = BAGGAGE.with_member("a", 'é ,;"\\%+')
    assert changed.members == (Member("b", "2"), Member("a", "%C3%A9%20%2C%3B%22%5C%25%2B"))
    assert changed.get("a") == 'é ,;"\\%+'


def test_base64_is_read_by_whoever_takes_a_plus_for_a_blank() -> None:
    assert encode("ab+c/d==") == "ab%2Bc/d=="


def test_text_beyond_latin_1_is_encoded() -> None:
    """A program's own carrier may hold any text."""
    found, refused = extract({"baggage": ["a=€"], "uberctx-b": ["日 x"]}, jaeger=True, jaeger_first=False)
    assert refused is None
    assert found is not None
    assert found.members == (Member("a", "%E2%82%AC"), Member("b", "%E6%97%A5%20x"))


def test_no_text_is_too_odd() -> None:
    """aiohttp decodes headers as UTF-8 and leaves surrogates for what is none; other programs leave worse."""
    found, refused = extract(
        {"baggage": ["a=x\udc80"], "uberctx-b": ["\udcff\ud800\udc7f\udd00"]}, jaeger=True, jaeger_first=False
    )
    assert refused is None
    assert found is not None
    assert found.members == (Member("a", "x%80"), Member("b", "%FF%3F%3F%3F"))


def test_control_characters_are_refused() -> None:
    found, refused = extract({"baggage": ["a=x\x00y,b=c\r\nd"], "uberctx-e": ["f\ng"]}, jaeger=True, jaeger_first=False)
    assert found is None
    assert refused == "shape"


def test_the_longest_field_is_measured_as_the_wire_has_it() -> None:
    for fields in ({"baggage": ["a=1", "b=22"]}, {"uberctx-b": ["22"]}, {"jaeger-baggage": ["b=2"], "uberctx-c": [""]}):
        found, _ = extract(fields, jaeger=True, jaeger_first=False)
        assert found is not None
        assert found.longest == max(size([(name, value)]) for name, values in fields.items() for value in values)


def test_a_value_longer_than_anything_that_goes_out_is_not_looked_at() -> None:
    found, _ = extract({"uberctx-a": [";" * 60_000], "uberctx-b": ["1"]}, jaeger=True, jaeger_first=False)
    assert found is not None
    assert written(found, w3c=True, jaeger=True) == [("baggage", "b=1"), ("uberctx-b", "1")]


def test_so_many_properties_are_none() -> None:
    """Nobody writes 65, and each costs time: a head of nothing else would hold up everybody."""
    for count, joint in ((64, ";"), (65, "%3B")):
        found, _ = extract({"uberctx-a": [";p=1" * count]}, jaeger=True, jaeger_first=False)
        assert found is not None
        assert found.members == (Member("a", f"{joint}p=1" * count),)


# --- limits


@pytest.mark.parametrize(("w3c", "jaeger"), [(True, False), (False, True), (True, True)])
def test_a_member_that_does_not_fit_makes_room_for_a_shorter_one(w3c: bool, jaeger: bool) -> None:
    headers: Headers = []
    big = Baggage((Member("a", "x" * MAX_BYTES), Member("b", "2")))
    assert write(big, headers, w3c=w3c, jaeger=jaeger) == (w3c, jaeger)
    assert headers == [("baggage", "b=2")] * w3c + [("uberctx-b", "2")] * jaeger


def test_8192_bytes_of_w3c_pass_in_the_one_field_that_they_came_in() -> None:
    text = "a=" + "x" * (8192 - 6) + ",b=2"
    for more, cut in (("", False), ("2", True)):
        found, _ = extract({"baggage": [text + more]}, jaeger=False, jaeger_first=False)
        assert found is not None
        headers: Headers = []
        assert write(found, headers, w3c=True, jaeger=False) == (cut, False)
        assert headers == [("baggage", text[: len(text) - 4] if cut else text)]


def test_8192_bytes_of_jaeger_pass_names_and_all() -> None:
    overhead = size([("uberctx-a", ""), ("uberctx-b", "")])
    for more, cut in ((0, False), (1, True)):
        headers: Headers = []
        baggage = Baggage((Member("a", "x" * 4000), Member("b", "x" * (4192 - overhead + more))))
        assert write(baggage, headers, w3c=False, jaeger=True) == (False, cut)
        assert [name for name, _ in headers] == (["uberctx-a"] if cut else ["uberctx-a", "uberctx-b"])
        assert cut or size(headers) == 8192


def test_a_member_that_makes_too_long_a_field_goes() -> None:
    assert written(Baggage((Member("a", "x" * MAX_LINE),)), w3c=True) == []
    assert written(Baggage((Member("a", "x" * MAX_LINE),)), jaeger=True) == []
    fits = Baggage((Member("a", "x" * (MAX_LINE - len("uberctx-a: \r\n"))),))
    assert size(written(fits, jaeger=True)) == size(written(fits, w3c=True)) == MAX_LINE


def test_both_kinds_share_8192_bytes_and_hold_the_same() -> None:
    headers: Headers = []
    assert write(members(60, 100), headers, w3c=True, jaeger=True) == (True, True)
    assert 8192 - 250 < size(headers) <= 8192
    (_, text), *others = headers
    assert [f"{name[8:]}={value}" for name, value in others] == text.split(",")


def test_two_fields_that_are_too_long_for_one_leave_as_two() -> None:
    """gunicorn and aiohttp take a field of 8190 bytes."""
    for length, other, fields in ((3994, 3994, 1), (3994, 3995, 2), (4090, 4090, 2)):
        values = ["a=" + "x" * (length - 2), "b=" + "x" * (other - 2)]
        found, _ = extract({"baggage": values}, jaeger=False, jaeger_first=False)
        assert found is not None
        headers = written(found, w3c=True)
        assert len(headers) == fields
        assert ",".join(value for _, value in headers) == ",".join(values)
        assert max(size([header]) for header in headers) <= MAX_LINE


def test_one_field_is_as_long_as_it_came() -> None:
    """Whoever takes it straight takes it from us; split in two, many would read the first alone."""
    value = ",".join(f"k{n}=" + "x" * 100 for n in range(77))
    assert 8000 < len(value) < 8192
    found, _ = extract({"baggage": [value]}, jaeger=False, jaeger_first=False)
    assert found is not None
    assert written(found, w3c=True) == [("baggage", value)]


def test_what_grows_by_encoding_is_split_and_cut() -> None:
    found, _ = extract(
        {"baggage": [",".join(f"k{n}=" + "é" * 800 for n in range(5))]}, jaeger=False, jaeger_first=False
    )
    assert found is not None
    headers: Headers = []
    assert write(found, headers, w3c=True, jaeger=False) == (True, False)
    assert max(size([header]) for header in headers) <= MAX_LINE
    assert size(headers) <= MAX_BYTES + 22


def test_at_most_64_uberctx_fields() -> None:
    headers: Headers = []
    assert write(members(MAX_UBERCTX + 1), headers, w3c=False, jaeger=True) == (False, True)
    assert len(headers) == MAX_UBERCTX == 64
    assert write(members(MAX_UBERCTX), [], w3c=False, jaeger=True) == (False, False)


@pytest.mark.parametrize("w3c", [False, True])
def test_the_whole_request_stays_at_92_fields(w3c: bool) -> None:
    """What may still join, as Host and Via, has room up to the 100 that gunicorn takes."""
    for fields, kept in ((20, 60), (40, 51 - w3c), (80, 11 - w3c), (91, 0), (95, 0)):
        headers: Headers = [("traceparent", "x")]
        cut = write(members(60), headers, w3c=w3c, jaeger=True, beside=Beside(fields, 0))
        assert cut == (False, kept < 60)
        names = [name for name, _ in headers]
        assert names == ["traceparent"] + ["baggage"] * w3c + [f"uberctx-k{n:03d}" for n in range(kept)]
        assert kept in (0, 60) or len(headers) + fields == REQUEST_FIELDS


def test_the_whole_request_stays_below_16_kib() -> None:
    """Node takes no more."""
    for other in (1000, 8000, 12_000, 15_000, 20_000):
        headers = written(members(60, 100), w3c=True, jaeger=True, beside=Beside(10, other))
        assert other + size(headers) <= max(REQUEST_BYTES, other)


@pytest.mark.parametrize(("fields", "came", "kept"), [(90, 150, 58), (90, 101, 9), (90, 100, 0), (20, 100, 60)])
def test_a_server_that_takes_more_fields_gets_as_many_as_came(fields: int, came: int, kept: int) -> None:
    """Up to 100, gunicorn may be behind: then 8 are left for those that join."""
    headers: Headers = [("traceparent", "x"), ("tracestate", "y")]
    write(members(60), headers, w3c=False, jaeger=True, beside=Beside(fields, 0, came, 0))
    assert len(headers) == 2 + kept


@pytest.mark.parametrize(("other", "came", "kept"), [(20_000, 21_000, 5), (16_300, 16_384, 0), (9000, 9100, 5)])
@pytest.mark.parametrize("w3c", [False, True])
def test_a_server_that_takes_more_bytes_gets_as_many_as_came(other: int, came: int, kept: int, w3c: bool) -> None:
    """Up to 16 KiB, Node may be behind."""
    headers = written(members(5), w3c=w3c, jaeger=True, beside=Beside(10, other, 20, came))
    assert sum(name.startswith("uberctx-") for name, _ in headers) == kept


@pytest.mark.parametrize(("other", "came"), [(9000, 9500), (16_000, 16_250), (20_000, 20_250)])
def test_w3c_to_w3c_passes_whatever_stands_beside_it(other: int, came: int) -> None:
    """It takes no more room than it took, so no server refuses the request for it."""
    found, _ = extract({"baggage": ["a=" + "v" * 180]}, jaeger=False, jaeger_first=False)
    assert found is not None
    assert written(found, w3c=True, beside=Beside(10, other, 11, came)) == [("baggage", "a=" + "v" * 180)]


def test_180_members_of_w3c() -> None:
    assert [value.count(",") for _, value in written(members(200), w3c=True)] == [179]
    assert write(members(181), [], w3c=True, jaeger=False) == (True, False)
    assert write(members(181), [], w3c=True, jaeger=True) == (True, True)
    assert write(members(180), [], w3c=True, jaeger=False) == (False, False)


def test_keys_that_differ_in_case_are_one_uberctx_header() -> None:
    headers: Headers = []
    assert write(Baggage((Member("a", "1"), Member("A", "2"))), headers, w3c=True, jaeger=True) == (False, True)
    assert headers == [("baggage", "a=1,A=2"), ("uberctx-A", "2")]


@pytest.mark.parametrize("name", ["baggage", "jaeger-baggage"])
@pytest.mark.parametrize("pieces", [1, 8])
def test_the_first_512_members_are_read(name: str, pieces: int) -> None:
    """In however many fields; empty ones do not count, and malformed ones do."""
    count = 512 // pieces
    lists = [",,".join(f"k{piece * count + n}=1" for n in range(count)) for piece in range(pieces)]
    assert extract({name: lists}, jaeger=True, jaeger_first=False)[1] is None
    found, why = extract({name: [*lists, "more=1"]}, jaeger=True, jaeger_first=False)
    assert why is Malformed.TOO_LONG
    assert found is not None
    assert [key for key, _ in found.members] == [f"k{n}" for n in range(512)]
    assert extract({name: ["x"] * 512 + ["a=1"]}, jaeger=True, jaeger_first=False) == (None, Malformed.SHAPE)


def test_the_numbers_are_those_of_the_docs() -> None:
    """docs/formats.md, "Baggage", "Limits"."""
    assert (MAX_BYTES, MAX_LINE, MAX_UBERCTX, REQUEST_FIELDS, REQUEST_BYTES) == (8192, 8000, 64, 92, 15_872)
