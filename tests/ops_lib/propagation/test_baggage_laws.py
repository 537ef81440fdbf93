"""Laws of baggage: whatever it holds, it means the same on the other side, and no server refuses a request for it."""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus, unquote, unquote_plus, unquote_to_bytes

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ops_lib.propagation import (
    FORMATS,
    REQUEST_BYTES,
    REQUEST_FIELDS,
    Beside,
    Format,
    Loss,
    Propagator,
    fields,
)
from ops_lib.propagation.baggage import MAX_BYTES, MAX_LINE, MAX_UBERCTX

LAW = settings(max_examples=200, deadline=None, derandomize=True)
CROWD_LAW = settings(LAW, max_examples=80)

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
KEYS = st.text(TOKEN, min_size=1, max_size=12)
# What programs put into baggage: words, base64, JSON, prices, text of any language.
MEANT = st.text(max_size=30) | st.text('ab+/= %;,"\\&', max_size=30)
ENTRIES = st.dictionaries(KEYS, MEANT, max_size=12).filter(lambda them: len({key.lower() for key in them}) == len(them))

Headers = list[tuple[str, str]]


def crosses(headers: Headers, *to: Format) -> Headers:
    propagator = Propagator(inject=to)
    return list(propagator.inject(propagator.extract(fields(headers))).headers)


def as_w3c(entries: dict[str, str]) -> Headers:
    return [("baggage", ",".join(f"{key}={quote(value, safe='+&=/')}" for key, value in entries.items()))]


def read_w3c(headers: Headers) -> dict[str, str]:
    """As W3C's readers do; properties left out."""
    members = [member for name, value in headers if name == "baggage" for member in value.split(",") if member]
    return {member.partition("=")[0]: unquote(member.partition("=")[2].partition(";")[0]) for member in members}


def read_jaeger(headers: Headers) -> dict[str, str]:
    """As Jaeger's clients for Go and Java do: a bare "+" is a blank."""
    return {name[8:]: unquote_plus(value) for name, value in headers if name.startswith("uberctx-")}


@LAW
@given(entries=ENTRIES)
@example(entries={"token": "a+b", "e": "100%", "p": "x;y=z"})
def test_w3c_means_the_same_to_jaeger(entries: dict[str, str]) -> None:
    there = crosses(as_w3c(entries), Format.JAEGER)
    assert read_jaeger(there) == entries
    assert read_w3c(crosses(there, Format.TRACECONTEXT)) == {key.lower(): value for key, value in entries.items()}


@LAW
@given(entries=ENTRIES, encode=st.sampled_from([quote_plus, quote]))
@example(entries={"greeting": "hello world+"}, encode=quote_plus)
def test_jaeger_means_the_same_to_w3c(entries: dict[str, str], encode: object) -> None:
    """Whether a client writes a blank as "+" (Go, Java) or as "%20" (Node, Python)."""
    write = quote_plus if encode is quote_plus else quote
    there = crosses([(f"uberctx-{key.lower()}", write(value)) for key, value in entries.items()], Format.TRACECONTEXT)
    assert read_w3c(there) == {key.lower(): value for key, value in entries.items()}
    assert read_jaeger(crosses(there, Format.JAEGER)) == read_w3c(there)


KEY = f"[{re.escape(TOKEN)}]+"
VALUE = r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*"
W3C_BAGGAGE = re.compile(
    rf"(?:{KEY}[ \t]*=[ \t]*{VALUE}(?:[ \t]*;[ \t]*{KEY}(?:[ \t]*=[ \t]*{VALUE})?)*[ \t]*(?:,|\Z))+"
)
RAW = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30)


@LAW
@given(values=st.lists(RAW | st.text('a;=%"\\, +', max_size=20), min_size=1, max_size=4))
@example(values=["100%"])
@example(values=["x; y", ";", "a;b;", "a;=b"])
def test_into_w3c_goes_what_its_grammar_takes(values: list[str]) -> None:
    """Whatever stands in a Jaeger header, and nothing of it is lost."""
    there = crosses([(f"uberctx-k{n}", value) for n, value in enumerate(values)], Format.TRACECONTEXT)
    (_, text), *none = there
    assert none == []
    assert W3C_BAGGAGE.fullmatch(text)
    assert not re.search("%(?![0-9A-Fa-f]{2})", text)
    told = [unquote_to_bytes(member.partition("=")[2]) for member in text.split(",")]
    assert told == [unquote_to_bytes(value.strip(" \t").replace("+", " ").encode("latin-1")) for value in values]


LENGTHS = st.integers(0, 60) | st.integers(0, 500) | st.integers(3900, 4200) | st.integers(7900, 8200)
TEXTS = st.sampled_from(["v", "+", "%41", "é", "a b", ";p=1"])


@st.composite
def crowds(draw: st.DrawFn) -> Headers:
    """Baggage as large and as much as it may ever come: `baggage`, `uberctx-*`, `jaeger-baggage`."""
    headers: Headers = []
    for _ in range(draw(st.integers(0, 3))):
        members = draw(st.integers(1, 150))
        length, text = draw(LENGTHS), draw(TEXTS)
        first = draw(st.integers(0, 100))
        value = ",".join(f"k{first + n}={text * (length // members // len(text) + 1)}" for n in range(members))
        headers.append((draw(st.sampled_from(["baggage", "baggage", "jaeger-baggage"])), value))
    length, text = draw(LENGTHS), draw(TEXTS)
    headers += [(f"uberctx-u{n}", text * (length // len(text))) for n in range(draw(st.integers(0, 90)))]
    return headers[:90]


def size(headers: Headers) -> int:
    return sum(len(f"{name}: {value}\r\n".encode("latin-1")) for name, value in headers)


@CROWD_LAW
@given(
    headers=crowds(),
    to=st.lists(st.sampled_from(FORMATS), min_size=1, max_size=4, unique=True),
    beside=st.builds(Beside, st.integers(0, 90), st.integers(0, 15_000)),
)
def test_no_request_grows_past_what_servers_take(headers: Headers, to: list[Format], beside: Beside) -> None:
    """At most 92 fields, fields of 8000 bytes and 15.5 KiB in all, or as much as came; what goes is counted."""
    propagator = Propagator(inject=to)
    extraction = propagator.extract(fields(headers))
    beside = beside._replace(came_fields=beside.fields + len(headers), came_size=beside.size + size(headers))
    injection = propagator.inject(extraction, beside=beside)
    out = list(injection.headers)
    uberctx = [header for header in out if header[0].startswith("uberctx-")]
    w3c = [header for header in out if header[0] == "baggage"]
    longest = max([MAX_LINE, *(size([header]) for header in headers)])
    assert all(size([header]) <= longest for header in out)
    assert len(uberctx) <= MAX_UBERCTX
    assert size(out) <= MAX_BYTES + (0 if uberctx else size([("baggage", "")]))
    assert out == [] or beside.size + size(out) <= max(REQUEST_BYTES, beside.came_size)
    assert len(w3c) <= max(2, len(headers))
    if uberctx:
        assert beside.fields + len(out) <= max(REQUEST_FIELDS, beside.came_fields) + max(0, len(w3c) - 1)
    kept = {key.lower() for key in (read_jaeger(out) if uberctx else read_w3c(out))}
    came = {member.key.lower() for member in extraction.baggage.members} if extraction.baggage else set()
    assert kept <= came
    assert (Loss.BAGGAGE_CUT in {loss for _, loss in injection.losses}) or kept == came


@CROWD_LAW
@given(headers=crowds(), to=st.sampled_from([Format.TRACECONTEXT, Format.JAEGER]))
def test_the_second_sidecar_of_a_chain_cuts_nothing(headers: Headers, to: Format) -> None:
    once = crosses(headers, to)
    again = crosses(once, to)
    assert [name for name, _ in again] == [name for name, _ in once]
    assert read_jaeger(again) == read_jaeger(once)
    assert read_w3c(again) == read_w3c(once)
