"""Laws: what holds for every input, checked on generated ones."""

from __future__ import annotations

import base64
import itertools
import string
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_lib.propagation import (
    KNOWN_FORMATS,
    NOTHING,
    Extraction,
    Format,
    Loss,
    Propagator,
    Sampling,
    TraceContext,
    codec_of,
    fields,
    inject_into,
)

LAW = settings(max_examples=150, deadline=None, derandomize=True)
LONG_LAW = settings(LAW, max_examples=600)

A_FORMAT = st.sampled_from(KNOWN_FORMATS)
FORMAT_LISTS = st.builds(
    lambda order, length: order[:length],
    st.sampled_from(list(itertools.permutations(KNOWN_FORMATS))),
    st.integers(0, 4),
)

T = TypeVar("T")


def lists_of(items: Sequence[T], max_size: int, *, min_size: int = 0) -> st.SearchStrategy[list[T]]:
    """As `st.lists(st.sampled_from(items))`, in one choice instead of many: the choices are what takes the time."""
    letters = [chr(0x100 + index) for index in range(len(items))]
    texts = st.text(letters, min_size=min_size, max_size=max_size)
    return texts.map(lambda text: [items[ord(letter) - 0x100] for letter in text])


def ids(length: int) -> st.SearchStrategy[str]:
    return st.integers(1, 16**length - 1).map(lambda number: f"{number:0{length}x}")


VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
LETTERS = string.ascii_lowercase + string.digits
KEYS = (
    st.text(LETTERS + "_-*/", max_size=21).map(lambda text: text.lstrip("_-*/") or "0").filter(lambda key: key != "ops")
)
VALUES = st.text(sorted({" ", *VISIBLE} - {",", "="}), max_size=21).map(lambda text: text.rstrip(" ") or "~")
MEMBERS = st.lists(st.builds("{}={}".format, KEYS, VALUES), max_size=8).map(",".join)


@st.composite
def contexts(draw: st.DrawFn) -> TraceContext:
    short = draw(st.booleans())
    return TraceContext(
        trace_id="0" * 16 + draw(ids(16)) if short else draw(ids(32)),
        span_id=draw(ids(16)),
        sampling=draw(st.sampled_from(list(Sampling))),
        short=short,
        random=draw(st.booleans()),
        parent_id=draw(st.none() | ids(16)),
        tracestate=draw(MEMBERS),
    )


WITHOUT: dict[Loss, dict[str, Any]] = {
    Loss.PARENT: {"parent_id": None},
    Loss.TRACESTATE: {"tracestate": ""},
    Loss.RANDOM: {"random": False},
    Loss.WIDTH: {"short": False},
}


def lost_in(format: Format) -> frozenset[Loss]:
    """What does not come back from `format`, by its codec. All else has to."""
    return codec_of(format).cannot_say - codec_of(format).keeps


def decision_after(sampling: Sampling, format: Format) -> Sampling:
    """What is left of a decision after one hop in `format`."""
    if sampling is Sampling.DEFER and Loss.DEFER in lost_in(format):
        return Sampling.ACCEPT
    if sampling is Sampling.DEBUG and Loss.DEBUG in lost_in(format):
        return Sampling.ACCEPT
    return sampling


def expected(context: TraceContext, format: Format) -> TraceContext:
    """What is left of `context` after one hop in `format`."""
    for loss in lost_in(format):
        context = context._replace(**WITHOUT.get(loss, {}))
    if format == Format.B3 and context.sampling is Sampling.DEFER:
        context = context._replace(parent_id=None)  # the parent comes after the decision, and there is none
    return context._replace(sampling=decision_after(context.sampling, format))


@cache
def propagator(**settings: Any) -> Propagator:
    """Kept, as programs keep theirs: it is cheap to call and expensive to make."""
    return Propagator(**settings)


def hop(context: TraceContext, *formats: Format, **settings: Any) -> Extraction:
    """Injects `context` and extracts what went out."""
    injection = propagator(inject=formats, **settings).inject(NOTHING, context=context)
    return propagator(extract=KNOWN_FORMATS, **settings).extract(fields(injection.headers))


@LAW
@given(context=contexts(), first=A_FORMAT, second=A_FORMAT)
def test_round_trip_over_all_pairs_of_formats(context: TraceContext, first: Format, second: Format) -> None:
    """Any format into any other and back: only what the table says is lost."""
    once = hop(context, first)
    assert once.context == expected(context, first)
    assert once.winner == first
    assert once.malformed == ()
    assert once.context is not None
    twice = hop(once.context, second)
    assert twice.context == expected(once.context, second)
    back = hop(twice.context, first) if twice.context else NOTHING
    assert back.context == expected(expected(expected(context, first), second), first)


@pytest.mark.parametrize(
    ("first", "second", "sampling", "short"),
    list(itertools.product(KNOWN_FORMATS, KNOWN_FORMATS, Sampling, [False, True])),
)
def test_every_pair_state_and_width(first: Format, second: Format, sampling: Sampling, short: bool) -> None:
    """The same, with no pair, state or width left to chance."""
    trace_id = "0" * 16 + "a3ce929d0e0e4736" if short else "4bf92f3577b34da6a3ce929d0e0e4736"
    context = TraceContext(trace_id, "00f067aa0ba902b7", sampling, short, parent_id="05e3ac9a4f6e3b90")
    once = hop(context, first)
    assert once.context is not None
    twice = hop(once.context, second)
    assert twice.context == expected(expected(context, first), second)


@LAW
@given(context=contexts(), format=A_FORMAT)
def test_every_loss_is_counted(context: TraceContext, format: Format) -> None:
    """What does not come back has been named, and nothing else has."""
    losses = {what for _, what in propagator(inject=(format,)).inject(NOTHING, context=context).losses}
    back = hop(context, format).context
    assert back is not None
    lost = set()
    if back.parent_id != context.parent_id:
        lost.add(Loss.PARENT)
    if back.tracestate != context.tracestate:
        lost.add(Loss.TRACESTATE)
    if back.random != context.random:
        lost.add(Loss.RANDOM)
    if back.short != context.short:
        lost.add(Loss.WIDTH)
    if back.sampling != context.sampling:
        lost.add(Loss.DEFER if context.sampling is Sampling.DEFER else Loss.DEBUG)
    if context.sampling is Sampling.DEFER and Loss.DEFER in codec_of(format).keeps:
        lost.add(Loss.DEFER)  # kept for the way back, but this receiver was told "accept"
    assert losses == lost


@LAW
@given(context=contexts(), on_defer=st.sampled_from([0.0, 1.0]))
def test_without_the_ops_member_a_context_still_arrives(context: TraceContext, on_defer: float) -> None:
    injection = propagator(lossless=False, on_defer=on_defer).inject(NOTHING, context=context)
    back = propagator().extract(fields(injection.headers)).context
    assert back is not None
    sampled = on_defer == 1 if context.sampling is Sampling.DEFER else context.sampling.is_sampled
    assert back == context._replace(sampling=Sampling.ACCEPT if sampled else Sampling.DENY, short=False, parent_id=None)
    assert not any("ops=" in value.split(",")[0] for name, value in injection.headers if name == "tracestate")


@LAW
@given(context=contexts(), formats=FORMAT_LISTS.filter(bool))
def test_one_coherent_story_leaves(context: TraceContext, formats: tuple[Format, ...]) -> None:
    """Every format that went out, read alone, tells the same trace, span and decision."""
    injection = propagator(inject=formats).inject(NOTHING, context=context)
    names = [name.lower() for name, _ in injection.headers]
    assert len(names) == len(set(names))
    whole = propagator(extract=KNOWN_FORMATS).extract(fields(injection.headers))
    assert whole.conflicts == ()
    assert whole.malformed == ()
    for format in formats:
        alone = propagator(extract=(format,)).extract(fields(injection.headers)).context
        assert alone is not None
        assert (alone.trace_id, alone.span_id) == (context.trace_id, context.span_id)
        assert alone.sampling is decision_after(context.sampling, format)


@LAW
@given(decision=st.sampled_from([Sampling.DENY, Sampling.ACCEPT, Sampling.DEBUG]), to=A_FORMAT)
def test_a_bare_decision_stays_one(decision: Sampling, to: Format) -> None:
    """B3 into anything and back into B3, unless the format cannot mark that the ids were made up."""
    bare = Extraction(decision=decision)
    injection = propagator(inject=(to,)).inject(bare)
    lost = set()
    if codec_of(to).inject_decision is None:
        lost = {Loss.BARE} if decision.is_sampled else set()
        lost |= {Loss.DEBUG} if decision_after(decision, to) is not decision else set()
    assert sorted(injection.losses) == sorted((to, loss) for loss in lost)
    b3 = propagator(extract=KNOWN_FORMATS, inject=(Format.B3,))
    back = b3.extract(fields(injection.headers))
    headers = b3.inject(back).headers
    if Loss.BARE in lost_in(to):
        assert back.context is not None
        assert back.context.sampling is decision_after(decision, to)
    else:
        assert headers == (("b3", {1: "0", 2: "1", 3: "d"}[decision]),)
        assert propagator(inject=(to,)).inject(back) == injection  # and whoever passes it on says and loses the same


TRACE_NAMES = [
    *(name for format in KNOWN_FORMATS for name in codec_of(format).headers),
    *("jaeger-baggage", "baggage", "uberctx-a", "uberctx-", "x-mirascope-session-id"),
]
PIECES = ["00", "ff", "-", ":", ",", "=", ";", "0" * 16, "0" * 32, "a" * 16, "a" * 32]
PIECES += ["1", "d", "%3A", " ", "ops", "s:d", "\t"]
BYTES = [chr(byte) for byte in range(256)]
NOISE = lists_of([*PIECES * 14, *BYTES], 24).map(lambda parts: "".join(parts).encode("latin-1"))
NOISY_HEADERS = st.lists(st.tuples(st.sampled_from([name.encode() for name in TRACE_NAMES]), NOISE), max_size=8)


@LONG_LAW
@given(headers=NOISY_HEADERS, formats=FORMAT_LISTS, flag=st.booleans())
def test_extract_never_raises_and_injected_always_parses(
    headers: list[tuple[bytes, bytes]], formats: tuple[Format, ...], flag: bool
) -> None:
    """Any bytes in: what goes out is sendable, well-formed, and says the same when read again."""
    both = propagator(extract=KNOWN_FORMATS, inject=formats, session_bridge=flag, lossless=not flag)
    extraction = both.extract(fields(headers))
    injection = both.inject(extraction)
    for name, value in injection.headers:
        assert name.isascii()
        assert value.isascii()
        assert not set(value) & {"\r", "\n", "\x00"}
        assert value == value.strip(" \t")
    again = both.extract(fields(injection.headers))
    assert again.malformed == ()
    assert again.session == extraction.session
    assert again.session_malformed is None
    assert again.baggage_malformed is None
    if formats and extraction.context is not None:
        assert again.context is not None or again.decision is not None
    if formats:
        assert (again.baggage is None) == (extraction.baggage is None or not extraction.baggage.members) or flag


ODD = ["a=", "é", "\xff", "€", "\udc80", "\ud800", "\U0001f4a9", ",", ";", " ", "\n", "%"]
ANY_TEXT = st.text(max_size=20) | lists_of(ODD, 5).map("".join)
ANY_VALUE = ANY_TEXT | ANY_TEXT.map("a={}".format)


@LONG_LAW
@given(
    headers=st.lists(st.tuples(st.sampled_from(TRACE_NAMES), ANY_VALUE), max_size=4),
    flag=st.booleans(),
)
def test_extract_never_raises_on_any_text(headers: list[tuple[str, str]], flag: bool) -> None:
    """Nor on what a program took for the text of a header: beyond latin-1, surrogates (PEP 383), anything."""
    both = propagator(extract=KNOWN_FORMATS, inject=KNOWN_FORMATS, session_bridge=flag)
    for name, value in both.inject(both.extract(fields(headers))).headers:
        assert name.isascii()
        assert value.isascii()


ONE, OTHER, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "0" * 16 + "a3ce929d0e0e4736", "a3ce929d0e0e4736"
STORIES = {  # of two traces that quarrel, or of ids that were made up
    "traceparent": [f"00-{ONE}-{SPAN}-01", f"00-{ONE}-{SPAN}-00", f"00-{OTHER}-{SPAN}-03"],
    "tracestate": ["ops=s:d,a=1", "ops=s:q;b:1,ops=w:16", "ops=b:1;w:16"],
    "b3": [f"{ONE}-{SPAN}-d-{SPAN}", f"{OTHER[16:]}-{SPAN}", "0", "1"],
    "X-B3-TraceId": [ONE, OTHER[16:]],
    "X-B3-SpanId": [SPAN],
    "X-B3-ParentSpanId": [SPAN, "x"],
    "X-B3-Sampled": ["0", "1"],
    "X-B3-Flags": ["1"],
    "uber-trace-id": [f"{ONE}:{SPAN}:0:3", f"{OTHER[16:]}:{SPAN}:0:0"],
    "jaeger-debug-id": ["x"],
    "baggage": ["userId=1,userid=2,session.id=s"],
    "uberctx-userId": ["3"],
    "X-Mirascope-Session-Id": ["s", "a b"],
}
SPELLINGS = (str, str.lower, str.upper, lambda name: name.replace("-", "_"))
TOLD = [(spell(name), value) for name, values in STORIES.items() for value in values for spell in SPELLINGS]
QUARREL = lists_of(TOLD, 9)


@LONG_LAW
@given(
    headers=QUARREL,
    formats=FORMAT_LISTS.filter(bool),
    flag=st.booleans(),
)
def test_exactly_one_story_leaves_whatever_came(
    headers: list[tuple[str, str]], formats: tuple[Format, ...], flag: bool
) -> None:
    """Written over what came in: no header twice, in any case or as a twin, and all of them tell one story."""
    both = propagator(inject=formats, lossless=flag, session_bridge=not flag)
    injection = both.inject(both.extract(fields(headers)))
    carrier = list(headers)
    inject_into(carrier, injection.headers, owns=both.owns)
    names = [name.lower().replace("_", "-") for name, _ in carrier]
    assert len(names) == len(set(names))
    whole = propagator(extract=KNOWN_FORMATS).extract(fields(carrier))
    assert whole.conflicts == ()
    assert whole.malformed == ()
    assert {said.format for said in whole.says} == set(injection.formats)
    told = [said.what for said in whole.says]
    assert len({what[:2] for what in told if isinstance(what, TraceContext)}) <= 1
    decisions = {what.sampling if isinstance(what, TraceContext) else what for what in told}
    assert len({decision.is_sampled for decision in decisions if decision}) <= 1


OPS_ITEMS = ["s:d", "s:q", f"s:q.{'a' * 16}", f"s:q.{'b' * 16}", "w:16", "b:1", "x:1", "", "9f3c-payments"]
OPS_ITEMS += ["s:q.xyz", "s:d "]


@LONG_LAW
@given(
    trace_id=st.sampled_from(["0" * 16 + "a" * 16, "a" * 32, "c" * 32]),
    span_id=st.sampled_from(["a" * 16, "b" * 16, "c" * 16]),
    flags=st.sampled_from(["00", "01", "02", "03"]),
    members=st.lists(lists_of(OPS_ITEMS, 3, min_size=1).map(";".join), max_size=3),
)
def test_our_member_never_outweighs_traceparent(trace_id: str, span_id: str, flags: str, members: list[str]) -> None:
    """Forged, stale, copied by a span that has joined, or another vendor's: traceparent has ids and decision."""
    state = ",".join([*(f"ops={member}" for member in members if member.strip()), "congo=1"])
    headers = {"traceparent": f"00-{trace_id}-{span_id}-{flags}", "tracestate": state}
    context = propagator().extract(fields(headers)).context
    assert context is not None
    assert (context.trace_id, context.span_id) == (trace_id, span_id)
    is_sampled = flags in ("01", "03")
    if context.sampling is Sampling.DEFER:
        assert f"s:q.{span_id}" in state
    else:
        assert context.sampling.is_sampled == is_sampled
    assert not context.short or trace_id.startswith("0" * 16)
    assert not context.made_up or trace_id.endswith(span_id)
    assert all(f"ops={member.strip()}" in context.tracestate for member in members if "payments" in member)
    # And a span that joins from here on decides for itself, whatever is copied to it.
    joined = {"traceparent": f"00-{trace_id}-{'d' * 16}-{flags}", "tracestate": state}
    later = propagator().extract(fields(joined)).context
    assert later is not None
    assert later.sampling.is_sampled == is_sampled
    assert later.sampling is not Sampling.DEFER


def _bytes_of(value: str) -> bytes:
    """What `value` is in base64; nothing if it is not."""
    try:
        return base64.b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4))
    except ValueError:
        return b""


@LAW
@given(context=contexts(), data=st.data())
def test_damage_to_a_header_never_makes_another_trace(context: TraceContext, data: st.DataObject) -> None:
    """A header with one character changed is refused, or read as an id that it really holds."""
    format = data.draw(A_FORMAT)
    headers = list(propagator(inject=(format,)).inject(NOTHING, context=context._replace(tracestate="")).headers)
    index = data.draw(st.integers(0, len(headers) - 1))
    name, value = headers[index]
    at = data.draw(st.integers(0, len(value) - 1))
    headers[index] = (name, value[:at] + data.draw(st.characters(max_codepoint=255)) + value[at + 1 :])
    found = propagator(extract=KNOWN_FORMATS).extract(fields(headers)).context
    if found is not None:
        text = "".join(value for _, value in headers).lower()
        text += text.replace("-", "")  # an id that is split
        text += "".join(_bytes_of(value).hex() for _, value in headers)
        half = found.trace_id[16:]
        assert found.trace_id.lstrip("0") in text or half in text or str(int(half, 16)) in text  # in hex, or in decimal


@LAW
@given(context=contexts(), to=A_FORMAT, session=st.text(VISIBLE, min_size=1, max_size=256))
def test_a_session_crosses_every_format(context: TraceContext, to: Format, session: str) -> None:
    injection = propagator(inject=(to,)).inject(Extraction(context=context, session=session))
    carrier: dict[str, str] = {"TRACEPARENT": "stale", "x-b3-traceid": "stale"}
    inject_into(carrier, injection.headers, owns=propagator().owns)
    back = propagator(extract=KNOWN_FORMATS).extract(fields(carrier))
    assert back.session == session
    assert back.malformed == ()
