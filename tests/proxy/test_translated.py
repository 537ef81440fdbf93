"""What is told of a translation afterwards: the same of plain headers as of those that were read in full."""

from __future__ import annotations

import pytest

from ops_lib.propagation import FORMATS, Extraction, Sampling, TraceContext, parse_formats
from proxy.participation.entry import InFlight
from proxy.participation.linking import Linked
from proxy.participation.sizes import NOTHING as NO_WEIGHT
from proxy.plan import PropagationPlan
from proxy.plan.participation import TrustPlan
from proxy.translate import Translator
from proxy.translated import NOTHING, FastTranslation, FullTranslation, RawHeaders, given_to_app, ids_given

T, S, P = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "05e3ac9a4f6e3b90"
W3C = (b"traceparent", f"00-{T}-{S}-01".encode())
SESSION, BAGGAGE = (b"X-Mirascope-Session-Id", b"s-1"), (b"baggage", b"user=7,plan=x")
DATADOG = (b"x-datadog-trace-id", b"5")


def translator(inject: str = "tracecontext", trust: TrustPlan | None = None, **more: object) -> Translator:
    plan = PropagationPlan(extract=FORMATS, inject=parse_formats(inject), **more)  # type: ignore[arg-type]
    return Translator(plan, trust=trust or TrustPlan())


@pytest.mark.parametrize("mode", ["translate", "participate"])
@pytest.mark.parametrize("inject", ["tracecontext", "b3", "jaeger"])
@pytest.mark.parametrize(
    "headers",
    [
        [W3C],
        [(b"traceparent", f"00-{T}-{S}-03".encode()), (b"tracestate", b"a=1")],
        [(b"traceparent", f"00-{T}-{S}-00".encode())],
        [(b"b3", f"{T[16:]}-{S}-1".encode())],
        [(b"b3", f"{T}-{S}-0-{P}".encode())],
        [W3C, SESSION],
        [W3C, SESSION, BAGGAGE],
    ],
)
def test_what_the_app_was_told(headers: RawHeaders, inject: str, mode: str) -> None:
    made = translator(inject, mode=mode)
    fast = made.translate(headers)
    assert isinstance(fast, FastTranslation)
    full = made.translate_in_full(headers)
    assert (full.context is None) is (fast.context is None)
    if mode == "translate":
        assert given_to_app(fast) == given_to_app(full)
        assert (ids_given(fast), fast.context, fast.extraction) == (ids_given(full), full.context, full.extraction)
    told, context = given_to_app(fast), fast.context
    assert told.context is not None
    assert context is not None
    trace_id, span_id = (digits.decode() for digits in ids_given(fast))
    assert (trace_id, span_id) == (told.context.trace_id, told.context.span_id) == (context.trace_id, context.span_id)
    assert fast.read == full.read
    assert (fast.link, fast.refused, fast.carried) == (full.link, full.refused, full.carried) == (None, (), ())


def test_who_was_told_nothing() -> None:
    for nothing in (NOTHING, None, object()):
        assert given_to_app(nothing) == Extraction()
    assert ids_given(NOTHING) == (b"", b"")
    alone = translator().translate([SESSION])
    assert (given_to_app(alone), ids_given(alone)) == (Extraction(session="s-1"), (b"", b""))


@pytest.mark.parametrize("is_plain", [True, False])
def test_what_other_families_say_passes_beside(is_plain: bool) -> None:
    ours = [W3C] if is_plain else [W3C, (b"b3", f"{T}-{P}-1".encode())]
    made = translator("b3").translate([DATADOG, *ours])
    assert isinstance(made, FastTranslation) is is_plain
    assert made.headers == [(b"b3", f"{T}-{S}-1".encode()), DATADOG]
    assert made.foreign == (("datadog", "passed"),)
    removed = translator("b3", clear=("datadog",)).translate([DATADOG, *ours])
    assert (removed.headers, removed.foreign) == (made.headers[:1], (("datadog", "removed"),))


def test_a_peer_that_is_ignored_is_not_believed_its_families_either() -> None:
    ignoring = translator(trust=TrustPlan(ids="ignore"))
    assert ignoring.translate([W3C, DATADOG]).refused == ("ids", "decision", "families")
    assert ignoring.translate_entirely([W3C, DATADOG]).refused == ("ids", "decision", "families")
    assert ignoring.translate_entirely([W3C]).refused == ("ids", "decision")
    assert translator(trust=TrustPlan(ids="restart")).translate([W3C, DATADOG]).refused == ("ids",)


def test_a_call_that_is_joined_gets_what_its_request_came_with() -> None:
    """Its own session and baggage count; what other families say passes."""
    source = translator().translate([W3C, SESSION, BAGGAGE])
    entry = InFlight(T.encode(), S.encode(), 0.0, source=source)
    made = translator("b3")
    linked = made.translate_linked([], NO_WEIGHT, Linked(entry, "process"))
    b3 = (b"b3", f"{T}-{S}-1".encode())
    assert (linked.headers, linked.linked, linked.candidates) == ([b3, SESSION, BAGGAGE], "process", ())
    own = [(SESSION[0], b"s-2"), (b"baggage", b"own=1"), DATADOG]
    linked = made.translate_linked(own, NO_WEIGHT, Linked(entry, "header"))
    assert (linked.headers, linked.foreign) == ([b3, *own], (("datadog", "passed"),))
    alone = made.translate_linked([DATADOG], NO_WEIGHT, Linked(None, "none"))
    assert (alone.headers, alone.linked, alone.injected) == ([DATADOG], "none", ())
    dropping = translator("b3", baggage="drop").translate_linked([], NO_WEIGHT, Linked(entry, "single"))
    assert dropping.headers == [b3, SESSION]


def test_who_takes_part_is_told_where_a_call_may_belong() -> None:
    entries = [InFlight(T.encode(), S.encode(), 0.0, source=one) for one in (translator().translate([W3C]), NOTHING)]
    unknown = Linked(None, "none", tuple(entries))
    context = TraceContext(T, S, Sampling.ACCEPT)
    made = translator(mode="participate").translate_linked([], NO_WEIGHT, unknown)
    assert [(one.trace_id, one.span_id, one.sampling) for one in made.candidates] == [context[:3]]
    assert translator().translate_linked([], NO_WEIGHT, unknown).candidates == ()


@pytest.mark.parametrize(
    ("headers", "lacks"),
    [
        ([], True),
        ([SESSION, BAGGAGE, DATADOG], True),
        ([W3C], False),
        ([SESSION, (b"B3", b"0")], False),  # a bare decision
        ([(b"TraceParent", b"x")], False),  # malformed says something
        ([(b"X-B3-TRACEID", T.encode()), (b"x-b3-SPANID", S.encode())], False),
    ],
)
def test_whether_a_call_says_nothing_of_a_trace(headers: RawHeaders, lacks: bool) -> None:
    assert translator().lacks_context(headers) is lacks


def test_formats_that_are_known_and_not_asked_for() -> None:
    of_w3c = Translator(PropagationPlan(extract=parse_formats("tracecontext"), inject=parse_formats("b3")))
    for _ in range(2):
        assert of_w3c.unread([W3C, (b"X-B3-TraceId", b"1"), (b"uber-trace-id", b"1")]) == "b3multi?,jaeger?"
        assert of_w3c.unread([W3C]) == ""
    assert "b3" not in translator().unread([(b"b3", b"1"), (b"X-B3-TraceId", b"1")])


def test_the_formats_of_names() -> None:
    made = translator()
    for _ in range(2):
        assert made.formats_of((b"X-B3-TraceId", b"X-B3-SpanId")) == "b3multi"
        assert made.formats_of((b"b3", b"traceparent", b"baggage")) == "tracecontext,b3"
    assert made.formats_of((b"x-other",)) == ""
    assert isinstance(made.translate([]), FullTranslation)


@pytest.mark.parametrize("asked", ["formats of", "unread"])
def test_256_sets_of_names_with_256_bytes_are_remembered(asked: str) -> None:
    """A set that is remembered is not looked through again: the very same text comes back."""
    made = Translator(PropagationPlan(extract=parse_formats("tracecontext,b3"), inject=parse_formats("b3")))
    told, first = {
        "formats of": (made.formats_of, (b"b3", b"traceparent")),
        "unread": (lambda names: made.unread([(name, b"1") for name in names]), (b"uber-trace-id", b"x-b3-traceid")),
    }[asked]

    def is_remembered(more: bytes) -> bool:
        return told((*first, more)) is told((*first, more))

    left = 256 - len(b"".join(first))
    assert not is_remembered(b"x" * (left + 1))
    assert is_remembered(b"x" * left)
    assert [is_remembered(b"x-%d" % number) for number in range(255)] == [True] * 255
    assert not is_remembered(b"one-more")
    assert is_remembered(b"x-0")
