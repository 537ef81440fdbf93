"""The sidecar's fast path says what the propagator says, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_lib.propagation import FORMATS, Format
from proxy.participation.own_span import SAMPLED, OwnSpan
from proxy.participation.sizes import Weight
from proxy.plan import PropagationPlan
from proxy.plan.participation import CargoPlan, SamplingPlan, TrustPlan
from proxy.translate import Translator
from proxy.translated import FastTranslation, FullTranslation

TRACE_ID = b"463ac35c9f6413ad48485a3953bb6124"
SPAN_ID = b"a2fb4a1d1a96d312"
B3MULTI = [(b"X-B3-TraceId", TRACE_ID), (b"X-B3-SpanId", SPAN_ID), (b"X-B3-Sampled", b"1")]
PARENT = (b"X-B3-ParentSpanId", b"05e3ac9a4f6e3b90")
SESSION = (b"X-Mirascope-Session-Id", b"s-1")

IN = {
    Format.TRACECONTEXT: [(b"traceparent", b"00-%b-%b-01" % (TRACE_ID, SPAN_ID))],
    Format.B3: [(b"b3", b"%b-%b-1" % (TRACE_ID, SPAN_ID))],
    Format.B3MULTI: B3MULTI,
    Format.JAEGER: [(b"uber-trace-id", b"%b:%b:0:1" % (TRACE_ID, SPAN_ID))],
}
# What is as common: a parent, the random flag, trace ids of 64 bits, baggage, several formats.
MORE = [
    [(b"traceparent", b"00-%b-%b-03" % (TRACE_ID, SPAN_ID))],
    [(b"traceparent", b"00-%b-%b-02" % (TRACE_ID, SPAN_ID)), (b"tracestate", b"congo=t61rcWkgMzE")],
    [(b"b3", b"%b-%b-1-%b" % (TRACE_ID, SPAN_ID, PARENT[1]))],
    [(b"b3", b"%b-%b-0" % (TRACE_ID[16:], SPAN_ID))],
    [*B3MULTI[:2], PARENT, *B3MULTI[2:]],
    [PARENT, (b"X-B3-TraceId", TRACE_ID[16:]), *B3MULTI[1:]],
    [(b"uber-trace-id", b"%b:%b:0:1" % (TRACE_ID[16:], SPAN_ID))],
    [*B3MULTI, (b"Baggage", b"userId=alice,is=a=b")],
    [*IN[Format.TRACECONTEXT], *IN[Format.B3], *B3MULTI, *IN[Format.JAEGER]],
    [(b"traceparent", b"00-%b-%b-03" % (TRACE_ID, SPAN_ID)), *B3MULTI, PARENT, (b"baggage", b"k=v")],
]


MODES = pytest.mark.parametrize("mode", ["translate", "participate"])


def _ones(bits: int) -> int:
    """For ids that are made up: the same each time."""
    return (1 << bits) - 1


def translator(inject: tuple[Format, ...] = (Format.TRACECONTEXT,), **settings: object) -> Translator:
    plan = {"extract": FORMATS, **settings}
    return Translator(PropagationPlan(inject=inject, **plan), random_bits=_ones)  # type: ignore[arg-type]  # its settings


def assert_same(translates: Translator, headers: list[tuple[bytes, bytes]]) -> None:
    """However it went, the result is that of the full path."""
    got, full = translates.translate(headers), translates.translate_in_full(headers)
    assert got.headers == full.headers
    assert (got.extraction, got.injected, got.losses, got.context, got.foreign) == full[1:6]
    assert (got.read, got.session, got.span, got.link, got.carried, None, (), got.withheld, got.refused) == full[6:]
    if isinstance(got, FastTranslation):
        extraction = full.extraction
        assert extraction is not None
        assert (got.winner, got.session is not None) == (extraction.winner, extraction.session is not None)
        assert not (extraction.malformed or extraction.conflicts or extraction.session_malformed)
        assert extraction.baggage_malformed is None


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("sender", FORMATS)
@pytest.mark.parametrize("beside", [[], [SESSION]], ids=["alone", "session"])
@MODES
def test_the_common_case_is_fast(mode: str, sender: Format, to: Format, beside: list[tuple[bytes, bytes]]) -> None:
    """Between any two formats, with and without a session; if this fails, every request pays twice."""
    translates = translator((to,), mode=mode)
    headers = [*IN[sender], *beside]
    assert isinstance(translates.translate(headers), FastTranslation)
    assert_same(translates, headers)


@pytest.mark.parametrize("inject", [*((to,) for to in FORMATS), FORMATS], ids=str)
@pytest.mark.parametrize("headers", MORE, ids=str)
@pytest.mark.parametrize("lossless", [True, False], ids=["lossless", "lossy"])
@MODES
def test_what_comes_beside_plain_ids_takes_the_fast_path(
    mode: str, headers: list[tuple[bytes, bytes]], inject: tuple[Format, ...], lossless: bool
) -> None:
    """Losses included: assert_same compares them."""
    translates = translator(inject, lossless=lossless, mode=mode)
    for came in (headers, [*headers, SESSION]):
        assert isinstance(translates.translate(came), FastTranslation)
        assert_same(translates, came)


@pytest.mark.parametrize("spell", [bytes.lower, bytes.title, bytes], ids=["lower", "go", "specified"])
def test_usual_spellings_in_any_order_take_the_fast_path(spell: type[bytes]) -> None:
    headers = [(spell(name), value) for name, value in [SESSION, *reversed(B3MULTI)]]
    assert isinstance(translator().translate(headers), FastTranslation)
    assert_same(translator(), headers)


@pytest.mark.parametrize("inject", [*((to,) for to in FORMATS), FORMATS], ids=str)
@pytest.mark.parametrize("beside", [[], [SESSION]], ids=["alone", "session"])
def test_a_plain_tracestate_takes_the_fast_path(inject: tuple[Format, ...], beside: list[tuple[bytes, bytes]]) -> None:
    translates = translator(inject)
    headers = [*beside, *IN[Format.TRACECONTEXT], (b"Tracestate", b"congo=t61rcWkgMzE,1a@b=a value")]
    assert isinstance(translates.translate(headers), FastTranslation)
    assert_same(translates, headers)


@pytest.mark.parametrize(
    "state",
    [
        *(b"", b"a=1,", b"a=1, b=2", b"A=1", b"ops=s:d", b"a=1,ops=s:d", b"drops=1", b"a=" + b"v" * 257),
        b",".join([b"a=1"] * 33),
        b",".join([b"abc=" + b"v" * 100] * 5),
    ],
)
def test_any_other_tracestate_takes_the_full_path(state: bytes) -> None:
    headers = [*IN[Format.TRACECONTEXT], (b"tracestate", state)]
    assert isinstance(translator().translate(headers), FullTranslation)


UNHEEDED = {"mode": "participate", "sampling": SamplingPlan(is_parent_based=False)}


@pytest.mark.parametrize("settings", [UNHEEDED, {"session_bridge": True}, {"extract": (Format.TRACECONTEXT,)}])
def test_settings_that_want_the_full_path(settings: dict[str, object]) -> None:
    assert isinstance(translator(**settings).translate([*B3MULTI, SESSION]), FullTranslation)  # type: ignore[arg-type]


def test_who_takes_part_is_the_callers_child_and_recorded_where_the_caller_is() -> None:
    translation = translator((Format.B3,), mode="participate").translate([*B3MULTI, PARENT])
    assert isinstance(translation, FastTranslation)
    assert translation.headers == [(b"b3", b"%b-%b-1" % (TRACE_ID, b"f" * 16))]
    assert translation.span == OwnSpan(TRACE_ID, b"f" * 16, SPAN_ID, SAMPLED)
    unsampled = translator(mode="participate").translate([(b"b3", b"%b-%b-0" % (TRACE_ID, SPAN_ID))])
    assert unsampled.headers == [(b"traceparent", b"00-%b-%b-00" % (TRACE_ID, b"f" * 16))]
    assert unsampled.span is None


def test_a_short_trace_id_has_32_digits_on_the_span() -> None:
    translation = translator(mode="participate").translate([(b"b3", b"%b-%b-1" % (TRACE_ID[16:], SPAN_ID))])
    assert isinstance(translation, FastTranslation)
    assert translation.span is not None
    assert translation.span.trace_id == b"0" * 16 + TRACE_ID[16:]


def test_a_threshold_of_opentelemetrys_is_looked_at_by_who_takes_part() -> None:
    headers = [*IN[Format.TRACECONTEXT], (b"tracestate", b"ot=th:fffffffffffff,a=b")]
    assert isinstance(translator().translate(headers), FastTranslation)
    mine = translator(mode="participate").translate(headers)
    assert isinstance(mine, FullTranslation)
    assert (b"tracestate", b"a=b") in mine.headers


def test_whom_we_do_not_believe_whole_goes_the_full_way() -> None:
    plan = PropagationPlan(extract=FORMATS, inject=(Format.TRACECONTEXT,), mode="participate")
    translation = Translator(plan, trust=TrustPlan(ids="restart"), random_bits=_ones).translate(B3MULTI)
    assert isinstance(translation, FullTranslation)
    assert translation.link is not None
    assert (translation.link.trace_id, translation.link.span_id) == (TRACE_ID.decode(), SPAN_ID.decode())
    assert TRACE_ID not in str(translation.headers).encode()
    assert translation.span is not None
    assert translation.span.parent_id == b""


@pytest.mark.parametrize("allowed", [CargoPlan(trace=False), CargoPlan(session=False)], ids=str)
@pytest.mark.parametrize("beside", [[], [PARENT], [SESSION]], ids=["alone", "parent", "session"])
def test_only_baggage_goes_the_full_way_where_a_part_of_it_may_not_leave(
    allowed: CargoPlan, beside: list[tuple[bytes, bytes]]
) -> None:
    """It is looked through for what it holds of a trace and of a session."""
    translates = Translator(PropagationPlan(extract=FORMATS, inject=FORMATS), allowed=allowed, random_bits=_ones)
    headers = [*B3MULTI, *beside]
    assert isinstance(translates.translate(headers), FastTranslation)
    assert isinstance(translates.translate([*headers, (b"baggage", b"k=v")]), FullTranslation)


def test_no_session_name_drops_the_session() -> None:
    translation = translator(session_inject="").translate([*B3MULTI, SESSION])
    assert isinstance(translation, FastTranslation)
    assert translation.session is not None
    assert translation.headers == IN[Format.TRACECONTEXT]


ids = st.sampled_from([TRACE_ID, SPAN_ID, b"0" * 32, b"0" * 16, TRACE_ID.upper(), b"", TRACE_ID + b"\n", b"x" * 16])
flags = st.sampled_from([b"0", b"1", b"00", b"01", b"02", b"03", b"04", b"d", b"true", b"", b"1 "])
names = st.sampled_from(
    [name for headers in IN.values() for name, _ in headers]
    + [
        b"x-b3-traceid",
        b"x-b3-spanid",
        b"x-b3-sampled",
        b"X-B3-Flags",
        b"x-b3-parentspanid",
        b"Traceparent",
        b"tracestate",
    ]
    + [b"mirascope-session-id", SESSION[0], b"baggage", b"uberctx-k", b"jaeger-debug-id", b"X_B3_TraceId"]
)
values = st.one_of(
    ids,
    flags,
    st.builds(lambda t, s, f: b"00-%b-%b-%b" % (t, s, f), ids, ids, flags),
    st.builds(lambda t, s, f: b"%b-%b-%b" % (t, s, f), ids, ids, flags),
    st.builds(lambda t, s, f, p: b"%b-%b-%b-%b" % (t, s, f, p), ids, ids, flags, ids),
    st.builds(lambda t, s, f: b"%b:%b:0:%b" % (t, s, f), ids, ids, flags),
    st.sampled_from([b"a=1", b"a=1,b=2", b"a=1,a=2", b"a=%31", b"a=1;p=2", b"a = 1", b"=", b"k=v,"]),
    st.binary(max_size=300),
)


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(names, values), max_size=5),
    st.lists(st.sampled_from(FORMATS), min_size=1, max_size=4, unique=True),
)
def test_any_headers_are_translated_alike(headers: list[tuple[bytes, bytes]], inject: list[Format]) -> None:
    for mode in ("translate", "participate"):
        assert_same(translator(tuple(inject), mode=mode), headers)


@settings(deadline=None, derandomize=True)
@given(st.sampled_from([*IN.values(), *MORE]), ids, ids, flags, st.permutations(range(5)), st.binary(max_size=3))
def test_nearly_plain_headers_are_translated_alike(
    came: list[tuple[bytes, bytes]],
    trace_id: bytes,
    span_id: bytes,
    flag: bytes,
    order: list[int],
    session: bytes,
) -> None:
    swap = {TRACE_ID: trace_id, TRACE_ID[16:]: trace_id, SPAN_ID: span_id, PARENT[1]: span_id}
    headers = [*came, (SESSION[0], session)]
    if len(came) > 2:
        headers = [(name, swap.get(value, flag if value == b"1" else value)) for name, value in headers]
    else:
        name, value = headers[0]
        headers[0] = (name, value.replace(TRACE_ID, trace_id).replace(SPAN_ID, span_id)[:-1] + flag)
    sent = [headers[place] for place in order if place < len(headers)]
    for inject in ((Format.TRACECONTEXT,), FORMATS):
        for mode in ("translate", "participate"):
            assert_same(translator(inject, mode=mode), sent)


MANY = b",".join(b"k%d=%s" % (n, b"+" * 15) for n in range(40))


@pytest.mark.parametrize("to", [(Format.JAEGER,), (Format.TRACECONTEXT,), FORMATS])
def test_plain_baggage_leaves_the_room_that_the_full_way_leaves(to: tuple[Format, ...]) -> None:
    """However many fields and bytes the request has beside it, from far below the limits to far above."""
    translates = translator(to)
    headers = [*B3MULTI, SESSION, (b"baggage", MANY)]
    for beside in [(fields, 0) for fields in range(0, 110, 3)] + [(20, size) for size in range(8000, 18_000, 150)]:
        rest = Weight(*beside)
        assert translates.translate(headers, rest).headers == translates.translate_in_full(headers, rest).headers


def test_headers_of_other_families_take_room_too() -> None:
    theirs = [(b"x-datadog-%d" % n, b"1") for n in range(60)]
    got = translator((Format.JAEGER,)).translate([*B3MULTI, *theirs, (b"baggage", MANY)], Weight(10, 0)).headers
    assert len(got) + 10 == 92
    assert got[-60:] == theirs


def test_a_request_that_came_with_more_keeps_as_much() -> None:
    """Whoever takes 150 fields straight takes them from us."""
    headers = [(b"uber-trace-id", TRACE_ID + b":" + SPAN_ID + b":0:1")]
    headers += [(b"uberctx-%d" % n, b"1") for n in range(50)]
    for others, kept in ((60, 50), (40, 50), (49, 42), (50, 50)):
        got = translator((Format.JAEGER,)).translate(headers, Weight(others, 0)).headers
        assert sum(name.startswith(b"uberctx-") for name, _ in got) == kept, others
