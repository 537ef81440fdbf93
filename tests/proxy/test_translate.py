"""The translator: every vector over raw headers, the two modes, and clearing."""

import pytest

from ops_lib.propagation import FORMATS, Format, Loss, Sampling, parse_formats
from proxy.plan import PropagationPlan
from proxy.translate import Translator
from proxy.translated import FullTranslation, Translation
from tests.vectors.rows import Row, load, random_bits, seen

ROWS = load()
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01".encode()
ONES = "1" * 16


def translator(**settings: object) -> Translator:
    plan = {"extract": FORMATS, "inject": (Format.TRACECONTEXT,), **settings}
    if "session_extract" in plan:
        plan["session_extract"] = tuple(plan["session_extract"])  # type: ignore[arg-type]
    return Translator(PropagationPlan(**plan), random_bits=random_bits)  # type: ignore[arg-type]


def through(translates: Translator, headers: list[tuple[bytes, bytes]]) -> Translation:
    """As the data plane does it: what is owned goes in, in order."""
    return translates.translate([(name, value) for name, value in headers if translates.owns(name)])


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_vector_crosses(row: Row) -> None:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in row.headers]
    for to, headers in row.out.items():
        translation = through(translator(**{**row.settings, "inject": parse_formats(to)}), raw)
        want = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        assert translation.headers == want, to
        if row.losses is not None:
            lost = [loss for format in parse_formats(to) for loss in row.losses.get(format, [])]
            assert sorted(what for _, what in translation.losses) == sorted(lost), to
        if translation.extraction is None:
            continue
        expect = {"malformed": [], **row.expect}
        got = seen(translation.extraction)
        assert {key: got[key] for key in expect} == expect


def test_nothing_in_nothing_out() -> None:
    assert translator().translate([]) == FullTranslation([], None, (), (), None)


def test_what_went_out_is_told() -> None:
    translation = through(translator(inject=FORMATS), [(b"b3", f"{TRACE_ID}-{SPAN_ID}".encode())])
    assert translation.injected == FORMATS
    assert translation.losses == ((Format.TRACECONTEXT, Loss.DEFER), (Format.JAEGER, Loss.DEFER))
    assert translation.context is not None
    assert translation.context.trace_id == TRACE_ID


def test_malformed_goes_no_further() -> None:
    translation = through(translator(), [(b"traceparent", b"nonsense"), (b"X-Mirascope-Session-Id", b"s")])
    assert translation.headers == [(b"X-Mirascope-Session-Id", b"s")]
    assert translation.injected == ()
    assert translation.context is None
    assert translation.extraction is not None
    assert translation.extraction.malformed == ((Format.TRACECONTEXT, "shape"),)


def test_any_bytes_survive_the_way_in() -> None:
    every = bytes(range(256))
    translation = through(translator(inject=FORMATS), [(b"b3", every), (b"uberctx-\xff", every), (b"baggage", every)])
    assert translation.context is None


def test_spelling_of_names_does_not_matter() -> None:
    headers = [(b"X-b3-TRACEID", TRACE_ID.encode()), (b"x-B3-spanid", SPAN_ID.encode()), (b"x-b3-Sampled", b"1")]
    assert through(translator(), headers).headers == [(b"traceparent", PARENT)]


def test_owns_takes_any_case_and_twins() -> None:
    owns = translator().owns
    assert all(owns(name) for name in (b"B3", b"x_b3_traceid", b"UberCtx-a", b"TraceParent", b"x-mirascope-session-id"))
    assert not any(owns(name) for name in (b"Host", b"X-Request-Id", b"\xff"))


def test_translate_keeps_every_id() -> None:
    b3 = [(b"b3", f"{TRACE_ID}-{SPAN_ID}-1-{ONES}".encode())]
    assert through(translator(inject=(Format.B3,)), b3).headers == b3


def test_participate_makes_a_span_of_its_own() -> None:
    """A new span id in the caller's trace; the caller's parent is none of the receiver's business."""
    mine = translator(mode="participate", inject=(Format.TRACECONTEXT, Format.B3))
    translation = through(mine, [(b"b3", f"{TRACE_ID}-{SPAN_ID}-d-{SPAN_ID}".encode())])
    assert translation.headers == [
        (b"traceparent", f"00-{TRACE_ID}-{ONES}-01".encode()),
        (b"tracestate", b"ops=s:d"),
        (b"b3", f"{TRACE_ID}-{ONES}-d".encode()),
    ]
    assert translation.extraction is not None
    assert translation.extraction.context is not None
    assert translation.extraction.context.span_id == SPAN_ID


def test_participate_starts_a_trace_where_nothing_came() -> None:
    translation = translator(mode="participate").translate([])
    assert translation.headers == [(b"traceparent", f"00-{ONES}{ONES}-{ONES}-03".encode())]
    assert translation.extraction is None
    assert translation.injected == (Format.TRACECONTEXT,)


def test_participate_starts_a_trace_over_a_malformed_one() -> None:
    mine = translator(mode="participate")
    translation = through(mine, [(b"traceparent", PARENT), (b"traceparent", PARENT), (b"tracestate", b"a=1")])
    assert translation.headers == [(b"traceparent", f"00-{ONES}{ONES}-{ONES}-03".encode())]


@pytest.mark.parametrize(("bare", "flags", "sampling"), [(b"0", "02", Sampling.DENY), (b"1", "03", Sampling.ACCEPT)])
def test_participate_heeds_a_bare_decision(bare: bytes, flags: str, sampling: Sampling) -> None:
    """The ids are real then: the span is ours."""
    translation = through(translator(mode="participate"), [(b"b3", bare)])
    assert translation.headers == [(b"traceparent", f"00-{ONES}{ONES}-{ONES}-{flags}".encode())]
    assert translation.context is not None
    assert translation.context.sampling is sampling
    assert not translation.context.made_up
    assert translation.losses == ()


def test_participate_carries_session_and_baggage() -> None:
    mine = translator(mode="participate")
    translation = through(mine, [(b"mirascope-session-id", b"s"), (b"uberctx-a", b"1")])
    assert [name for name, _ in translation.headers] == [b"traceparent", b"X-Mirascope-Session-Id", b"baggage"]


def test_new_span_ids_differ() -> None:
    mine = Translator(PropagationPlan(extract=FORMATS, inject=(Format.TRACECONTEXT,), mode="participate"))
    sent = {through(mine, [(b"traceparent", PARENT)]).headers[0][1] for _ in range(50)}
    assert len(sent) == 50
    assert all(value.split(b"-")[1] == TRACE_ID.encode() for value in sent)


def test_no_decision_is_taken_where_a_span_is_made() -> None:
    """As for a trace that begins here: who asks us to decide is not worse off than who says nothing at all."""
    for sender in (b"b3", b"X-B3-TraceId"):
        value = f"{TRACE_ID}-{SPAN_ID}" if sender == b"b3" else TRACE_ID
        headers = [(sender, value.encode())] + [(b"X-B3-SpanId", SPAN_ID.encode())] * (sender != b"b3")
        participant = translator(mode="participate", inject=(Format.TRACECONTEXT, Format.B3), on_defer=0.0)
        out = dict(through(participant, headers).headers)
        assert out[b"traceparent"].endswith(b"-01")
        assert out[b"b3"].endswith(b"-1")
        assert b"tracestate" not in out


def test_a_session_under_other_names_leaves_no_second_one() -> None:
    """Whatever the names are, those that everybody else uses are cleared; where there is no session at all, none is."""
    sent = [(b"X-S", b"1"), (b"X-Mirascope-Session-Id", b"2"), (b"mirascope-session-id", b"3")]
    sent.append((b"X_Mirascope_Session_Id", b"4"))
    renamed = translator(session_extract=("X-S",), session_inject="X-Out")
    assert all(renamed.owns(name) for name, _ in sent)
    assert through(renamed, sent).headers == [(b"X-Out", b"1")]
    assert not any(translator(session_extract=(), session_inject="").owns(name) for name, _ in sent)
