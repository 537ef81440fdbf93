"""The fast path says what the propagator says, or nothing. (As bytes: tests/proxy/test_translate_fast.py.)"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_lib.propagation import FORMATS, HAS_STATE, Extraction, Format, Propagator, RawFastPath, context_of
from ops_lib.propagation.fast.forms import IS_SHORT
from ops_lib.propagation.fast.path import MAX_BAGGAGE_LENGTH
from ops_lib.propagation.fast.reader import MAX_SET_LENGTH, MAX_SETS
from ops_lib.propagation.fast.shapes import MAX_SHAPES
from ops_lib.propagation.registry import codec_of

TRACE_ID = "463ac35c9f6413ad48485a3953bb6124"
SPAN_ID = "a2fb4a1d1a96d312"
B3MULTI = {"X-B3-TraceId": TRACE_ID, "X-B3-SpanId": SPAN_ID, "X-B3-Sampled": "1"}
PARENT = {"x-b3-parentspanid": "05e3ac9a4f6e3b90"}
SHORT = TRACE_ID[16:]
SESSION = {"X-Mirascope-Session-Id": "s-1"}
STATE = {"tracestate": "congo=t61rcWkgMzE,1a@b=a value"}
OTHERS = {"Accept": "*/*", "cookie": "b3=1"}

IN = {
    Format.TRACECONTEXT: {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"},
    Format.B3: {"b3": f"{TRACE_ID}-{SPAN_ID}-0"},
    Format.B3MULTI: B3MULTI,
    Format.JAEGER: {"uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:0:1"},
}

# What is as common: a parent, the random flag, trace ids of 64 bits, baggage, several formats.
MORE: list[dict[str, str]] = [
    {**B3MULTI, "baggage": "a=1"},
    {**IN[Format.TRACECONTEXT], "baggage": "userId=alice,serverNode=DF:28,empty=,is=a=b"},
    # The same in several formats, as our own `composite` writes it.
    {**B3MULTI, **IN[Format.JAEGER]},
    {**IN[Format.TRACECONTEXT], **B3MULTI, **IN[Format.JAEGER], **STATE, "b3": f"{TRACE_ID}-{SPAN_ID}-1"},
    {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-03", **B3MULTI, **PARENT},
    {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-02", "b3": f"{TRACE_ID}-{SPAN_ID}-0-05e3ac9a4f6e3b90"},
    {"b3": f"{TRACE_ID}-{SPAN_ID}-1-05e3ac9a4f6e3b90", **B3MULTI, **PARENT},
    {"b3": f"{TRACE_ID}-{SPAN_ID}-1-05e3ac9a4f6e3b90", **B3MULTI},
    {"b3": f"{SHORT}-{SPAN_ID}-1", **B3MULTI, "X-B3-TraceId": SHORT},
    {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-03"},
    {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-02", **STATE},
    {"b3": f"{TRACE_ID}-{SPAN_ID}-1-05e3ac9a4f6e3b90"},
    {"b3": f"{SHORT}-{SPAN_ID}-0"},
    {"b3": f"{SHORT}-{SPAN_ID}-1-05e3ac9a4f6e3b90"},
    {**B3MULTI, **PARENT},
    {**PARENT, **B3MULTI, "X-B3-TraceId": SHORT},
    {**B3MULTI, "X-B3-TraceId": SHORT},
    {"uber-trace-id": f"{SHORT}:{SPAN_ID}:05e3ac9a4f6e3b90:0"},
]

CARRIERS: dict[str, Any] = {
    "dict": dict,
    "lower": lambda headers: {name.lower(): value for name, value in headers.items()},
    "pairs": lambda headers: list(headers.items()),
    "asgi": lambda headers: [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
}


def assert_same(propagator: Propagator, carrier: Any) -> bool:
    """However it went, what is read and written is that of the full path. Returns whether it took the fast path."""
    read, full = propagator.read(carrier), propagator.extract(propagator.fields(carrier))
    if isinstance(read, Extraction):
        assert read == full
        return False
    assert context_of(read) == full.context
    assert (read[2], read[3]) == (full.session, full.winner)
    assert not (full.decision or full.malformed or full.conflicts or full.session_malformed or full.baggage_malformed)
    baggage = {} if full.baggage is None else {key: full.baggage.get(key) for key, _ in full.baggage.members}
    assert (read[6][1] if read[6] is not None else {}) == baggage
    written: dict[str, str] = {}
    assert propagator.fast_path is not None
    propagator.fast_path.write_into(written, read, read[2], read[6])
    injection = propagator.inject(full)
    lowered = {name: name.lower() for format in propagator.inject_formats for name in codec_of(format).writes}
    assert written == {lowered.get(name, name): value for name, value in injection.headers}
    assert propagator.losses_of(read[4]) == injection.losses
    return True


@pytest.mark.parametrize("make", CARRIERS.values(), ids=CARRIERS)
@pytest.mark.parametrize("sender", FORMATS)
@pytest.mark.parametrize("beside", [{}, SESSION], ids=["alone", "session"])
@pytest.mark.parametrize("state", [{}, STATE], ids=["no state", "state"])
def test_the_common_case_is_fast(sender: Format, beside: dict[str, str], state: dict[str, str], make: Any) -> None:
    """In any carrier, as soon as the other names are known; if this fails, every request pays twice."""
    propagator = Propagator(inject=FORMATS)
    carrier = make(OTHERS | IN[sender] | beside | (state if sender is Format.TRACECONTEXT else {}))
    assert_same(propagator, carrier)
    for _ in range(100):
        assert assert_same(propagator, carrier)
    assert_same(propagator, make(OTHERS))


@pytest.mark.slow
@pytest.mark.parametrize("make", CARRIERS.values(), ids=CARRIERS)
@pytest.mark.parametrize("headers", MORE, ids=str)
@pytest.mark.parametrize("beside", [{}, SESSION], ids=["alone", "session"])
@pytest.mark.parametrize("lossless", [True, False], ids=["lossless", "lossy"])
def test_what_comes_beside_plain_ids_takes_the_fast_path(
    headers: dict[str, str], beside: dict[str, str], lossless: bool, make: Any
) -> None:
    for inject in (*((format,) for format in FORMATS), FORMATS):
        propagator = Propagator(inject=inject, lossless=lossless, extract=reversed(FORMATS) if lossless else FORMATS)
        carrier = make(OTHERS | headers | beside)
        assert_same(propagator, carrier)
        assert assert_same(propagator, carrier)


@pytest.mark.parametrize("make", CARRIERS.values(), ids=CARRIERS)
def test_any_spelling_takes_the_fast_path(make: Any) -> None:
    propagator = Propagator()
    for spell in (str.lower, str.upper, str.title, str.swapcase):
        assert assert_same(propagator, make({spell(name): value for name, value in (B3MULTI | SESSION).items()}))


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers",
    [
        {**B3MULTI, "X-B3-Flags": "1"},
        {**B3MULTI, "x_b3_traceid": "f" * 32},
        {**B3MULTI, "x-b3-traceid": "f" * 32},
        {**B3MULTI, "baggage": "a=%31"},
        {**B3MULTI, "baggage": "a=1;p"},
        {**B3MULTI, "baggage": "a=1, b=2"},
        {**B3MULTI, "baggage": "a=1,a=2"},
        {**B3MULTI, "baggage": "a=1,A=2"},
        {**B3MULTI, "baggage": "a=1,b"},
        {**B3MULTI, "baggage": ""},
        {**B3MULTI, "baggage": f"a={'v' * MAX_BAGGAGE_LENGTH}"},
        {**B3MULTI, "baggage": "a=1", "uberctx-b": "2"},
        {**B3MULTI, "baggage": "a=1", "jaeger-baggage": "b=2"},
        {**B3MULTI, "uberctx-a": "1"},
        {**B3MULTI, "uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:0:0"},
        {**B3MULTI, "uber-trace-id": f"{TRACE_ID}:{TRACE_ID[:16]}:0:1"},
        {**B3MULTI, "uber-trace-id": f"{SPAN_ID * 2}:{SPAN_ID}:0:1"},
        {**B3MULTI, "b3": f"{TRACE_ID}-{SPAN_ID}-d"},
        {**B3MULTI, "b3": f"{TRACE_ID}-{SPAN_ID}-1-{'0' * 16}"},
        {**B3MULTI, **PARENT, "b3": f"{TRACE_ID}-{SPAN_ID}-1-{SPAN_ID}"},
        {**B3MULTI, "X-B3-TraceId": SHORT, "traceparent": f"00-{'0' * 16}{SHORT}-{SPAN_ID}-01"},
        {**B3MULTI, "jaeger-debug-id": "x"},
        {**IN[Format.TRACECONTEXT], "tracestate": "ops=w:16", "b3": f"{TRACE_ID}-{SPAN_ID}-1"},
        {**B3MULTI, **SESSION, "Mirascope-Session-Id": "s-2"},
        {**B3MULTI, **STATE},
        {**B3MULTI, "X-Mirascope-Session-Id": "s 1"},
        {"X-B3-TraceId": TRACE_ID, "X-B3-SpanId": SPAN_ID},
        {"b3": f"{SHORT}-{SPAN_ID}"},
        {"b3": f"{TRACE_ID}-{SPAN_ID}-1-{'0' * 16}"},
        {"b3": f"{'0' * 16}-{SPAN_ID}-1"},
        {"b3": f"{TRACE_ID[:31]}-{SPAN_ID}-1"},
        {**B3MULTI, "x-b3-parentspanid": ""},
        {**B3MULTI, "x-b3-parentspanid": "0" * 16},
        {**B3MULTI, "x-b3-parentspanid": TRACE_ID},
        {**B3MULTI, **PARENT, "X_B3_ParentSpanId": SPAN_ID},
        {"X-B3-TraceId": TRACE_ID, "X-B3-SpanId": SPAN_ID, **PARENT},
        {"b3": f"{TRACE_ID}-{SPAN_ID}-1", **PARENT},
        {"traceparent": f"00-{SHORT}-{SPAN_ID}-01"},
        {"traceparent": f"00-{'0' * 16}{SHORT}-{SPAN_ID}-01", "tracestate": "ops=w:16"},
        {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-04"},
        {"b3": f"{TRACE_ID}-{SPAN_ID}-d"},
        {"b3": f"{TRACE_ID.upper()}-{SPAN_ID}-1"},
        {"b3": f"{TRACE_ID}-{SPAN_ID}-1\n"},
        {"traceparent": f"00-{TRACE_ID}-{'0' * 16}-01"},
        {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01", "tracestate": "ops=s:d"},
    ],
    ids=str,
)
@pytest.mark.parametrize("usual", [*IN.values(), {}], ids=str)
def test_anything_else_is_not(headers: dict[str, str], usual: dict[str, str]) -> None:
    """Whatever else comes most of the time."""
    propagator = Propagator(inject=FORMATS)
    for _ in range(100):
        assert_same(propagator, OTHERS | usual)
    assert not assert_same(propagator, OTHERS | headers)
    assert not assert_same(propagator, list(headers.items()))


@pytest.mark.parametrize("value", [b"bytes", ["list"], None, 5])
@pytest.mark.parametrize("name", ["b3", "X-B3-SpanId", "tracestate", "Mirascope-Session-Id"])
def test_values_that_are_no_text_are_not(name: str, value: object) -> None:
    propagator = Propagator()
    headers = {"b3": B3MULTI, "X-B3-SpanId": B3MULTI}.get(name, IN[Format.TRACECONTEXT])
    if name == "b3":
        headers = {}
    carrier = {**headers, name: value}
    assert not assert_same(propagator, carrier)
    assert not assert_same(propagator, list(carrier.items()))


def test_what_is_remembered_of_names_is_bounded() -> None:
    """A peer that varies the letter case fills no memory, and keeps nobody else from the fast path."""
    propagator = Propagator()
    path = propagator.fast_path
    assert path is not None
    most = 0
    for n in range(1 << 11):
        name = "".join(c.upper() if n >> i & 1 else c for i, c in enumerate("traceparent"))
        assert assert_same(propagator, {name: IN[Format.TRACECONTEXT]["traceparent"]})
        most = max(most, len(path._shapes.known))
    assert most == MAX_SHAPES
    assert assert_same(propagator, B3MULTI)


@pytest.mark.parametrize(
    ("names", "is_remembered"),
    [
        ([f"x{n}" for n in range(16)], True),
        ([f"x{n}" for n in range(17)], False),
        (["x" * 255, "y"], True),
        (["x" * 255, "yy"], False),
        (["traceparent"], True),
        ([], True),
    ],
    ids=["16", "17", "256 characters", "257 characters", "one", "none"],
)
@pytest.mark.parametrize("kind", [tuple, frozenset])
def test_long_sets_of_names_are_not_remembered(names: list[str], is_remembered: bool, kind: Any) -> None:
    """16 names of 256 characters are. The others are judged anew each time."""
    path = Propagator().fast_path
    assert path is not None
    chosen = kind(names)
    for _ in range(2):
        assert (path.shape(chosen) is not None) is (names == ["traceparent"])
        assert (chosen in path._shapes.known) is is_remembered


@pytest.mark.parametrize("make", CARRIERS.values(), ids=CARRIERS)
def test_what_is_remembered_of_sets_of_names_is_bounded(make: Any) -> None:
    """Nor does a peer that sends other names each time, few or many."""
    propagator = Propagator()
    reader = propagator._reader
    for n in range(3 * MAX_SETS):
        assert assert_same(propagator, make({f"x-{n}": "1", **B3MULTI}))
        assert 1 <= len(reader._dicts) + len(reader._lists) <= MAX_SETS
    known = len(reader._dicts) + len(reader._lists)
    long = {f"x-{n:058}": "1" for n in range(MAX_SET_LENGTH // 60 + 1)}
    assert assert_same(propagator, make(long | B3MULTI))
    assert len(reader._dicts) + len(reader._lists) == known


@pytest.mark.parametrize(
    "headers",
    [
        {"b3": f"{SHORT}-{SPAN_ID}-1", "traceparent": f"00-{SHORT}-{SPAN_ID}-01"},  # which no traceparent may say
        {"b3": f"{SHORT}-{SPAN_ID}-1", "traceparent": f"00-{'0' * 16}{SHORT}-{SPAN_ID}-01"},
        {"b3": f"{TRACE_ID}-{SPAN_ID}-1", "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-00"},
        {"b3": f"{TRACE_ID}-{SPAN_ID}-1", "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-02"},
        {"b3": f"{TRACE_ID}-{SPAN_ID}-1", "uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:0:0"},
        {"b3": f"{TRACE_ID}-{SPAN_ID}-1-{SHORT}", **B3MULTI, **PARENT},
    ],
    ids=str,
)
def test_formats_that_do_not_say_the_same_are_read_in_full(headers: dict[str, str]) -> None:
    """Whoever comes first: each has to say what it could have written alone."""
    for extract in (FORMATS, FORMATS[::-1]):
        assert not assert_same(Propagator(extract=extract, inject=FORMATS), headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"b3": f"{TRACE_ID}-{SPAN_ID}-1", "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-03"},
        {"b3": f"{TRACE_ID}-{SPAN_ID}-0", "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-02", **STATE},
        {"uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:0:1", "b3": f"{TRACE_ID}-{SPAN_ID}-1-{SHORT}"},
        {"uber-trace-id": f"{TRACE_ID}:{SPAN_ID}:{SHORT}:01", "b3": f"{TRACE_ID}-{SPAN_ID}-1"},
        {"b3": f"{TRACE_ID}-{SPAN_ID}-1-{PARENT['x-b3-parentspanid']}", **B3MULTI, **PARENT},
    ],
    ids=str,
)
def test_what_one_format_adds_to_the_first_is_read_at_once(headers: dict[str, str]) -> None:
    for extract in (FORMATS, FORMATS[::-1]):
        assert assert_same(Propagator(extract=extract, inject=FORMATS), headers)


def test_what_has_no_form_is_not_written_at_all() -> None:
    """A tracestate beside a width that `ops=` keeps may have to be cut, which no form can."""
    path = Propagator().fast_path
    assert path is not None
    headers: dict[str, str] = {}
    plain = ((SHORT, SPAN_ID, "1"), STATE["tracestate"], None, Format.B3, HAS_STATE | IS_SHORT, None, None)
    assert not path.write_into(headers, plain, "s-1", None)
    assert headers == {}


def test_a_session_bridge_never_takes_the_fast_path() -> None:
    propagator = Propagator(session_bridge=True)
    assert isinstance(propagator.read(B3MULTI), Extraction)
    assert propagator.fast_path is None


@pytest.mark.parametrize(
    ("trace_id", "span_id", "sampled"),
    [
        *((TRACE_ID[:size], SPAN_ID, "1") for size in (0, 15, 16, 17, 31, 32)), (TRACE_ID + "0", SPAN_ID, "1"),
        (TRACE_ID + SPAN_ID, SPAN_ID, "1"), ("0" * 32, SPAN_ID, "1"), ("0" * 16, SPAN_ID, "1"),
        ("0" * 31 + "1", "0" * 15 + "1", "0"), (TRACE_ID, SPAN_ID[1:], "0"), (TRACE_ID, SPAN_ID + "0", "0"),
        (TRACE_ID, "0" * 16, "0"), *((TRACE_ID, SPAN_ID, flag) for flag in ("", "0", "1", "2", "/", "d", "01")),
        *((odd + TRACE_ID[1:], SPAN_ID, "1") for odd in "\0/:`gA\xff"),
        *((TRACE_ID, odd + SPAN_ID[1:], "1") for odd in "\0/:`gA\xff"),
    ],
    ids=ascii,
)  # fmt: skip
def test_three_values_in_bytes_are_plain_where_the_same_text_is(trace_id: str, span_id: str, sampled: str) -> None:
    """The sidecar's shortest way, without a pattern."""
    propagator = Propagator()
    assert propagator.fast_path is not None
    names, values = ("x-b3-traceid", "x-b3-spanid", "x-b3-sampled"), (trace_id, span_id, sampled)
    text = propagator.fast_path.read(names, values)
    in_bytes = [tuple(one.encode("latin-1") for one in each) for each in (names, values)]
    raw = RawFastPath(propagator.fast_settings).read(*in_bytes)
    assert raw is None if text is None else raw is not None and raw[0] == in_bytes[1]


ids = st.sampled_from([TRACE_ID, SPAN_ID, "0" * 32, "0" * 16, TRACE_ID.upper(), "", TRACE_ID + "\n", "x" * 16])
flags = st.sampled_from(["0", "1", "00", "01", "02", "03", "04", "d", "true", "", "1 "])
names = st.sampled_from(
    [name for headers in IN.values() for name in headers]
    + ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "X-B3-Flags", "x-b3-parentspanid", "Traceparent", "tracestate"]
    + ["mirascope-session-id", "X-Mirascope-Session-Id", "baggage", "uberctx-k", "jaeger-debug-id", "X_B3_TraceId"]
    + ["Accept", "cookie", "İ", ""]
)
values = st.one_of(
    ids,
    flags,
    st.builds(lambda t, s, f: f"00-{t}-{s}-{f}", ids, ids, flags),
    st.builds(lambda t, s, f: f"{t}-{s}-{f}", ids, ids, flags),
    st.builds(lambda t, s, f, p: f"{t}-{s}-{f}-{p}", ids, ids, flags, ids),
    st.builds(lambda t, s, f: f"{t}:{s}:0:{f}", ids, ids, flags),
    st.sampled_from(["a=1", "a=1,b=2", "a=1,a=2", "a=%31", "a=1;p=2", "a = 1", "=", "k=v,"]),
    st.text(max_size=20),
)
SHARED = [
    Propagator(inject=FORMATS),
    Propagator(baggage="drop", session_inject="", lossless=False),
]  # what they remember must not show


@settings(deadline=None, derandomize=True)
@given(
    st.one_of(
        st.dictionaries(names, values, max_size=5),
        st.lists(st.tuples(names, values), max_size=5),
        st.sampled_from([*IN.values(), *MORE]).flatmap(
            lambda usual: st.dictionaries(names, values, max_size=2).map(lambda extra: extra | usual)
        ),
        st.tuples(*[st.sampled_from([{}, *IN.values(), *MORE])] * 3).map(lambda three: three[0] | three[1] | three[2]),
    )
)
def test_any_headers_are_read_alike(carrier: Any) -> None:
    for propagator in SHARED:
        assert_same(propagator, carrier)
        pairs = list(carrier.items()) if isinstance(carrier, dict) else carrier
        try:
            assert_same(propagator, [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs])
        except UnicodeEncodeError:
            continue
