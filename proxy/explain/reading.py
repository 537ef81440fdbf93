"""Explains what was read of headers, and what was written, in words and as JSON. Pure.

May know the heart alone: this works without the `sidecar` extra.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import takewhile

from ops_lib.propagation import (
    Extraction,
    Format,
    Injection,
    Loss,
    Malformed,
    Propagator,
    Said,
    Sampling,
    TraceContext,
    codec_of,
    family_of,
    is_same_trace,
)
from proxy.explain.diagnosis import diagnose

_WIDTH = 80
_WRITTEN = re.compile(r"  [\w-]+: \S+$")  # a header whose value has no blank

_LOSSES = {
    Loss.DEFER: "`no decision` cannot be said; it became what on_defer says",
    Loss.DEBUG: "the debug decision became a plain accept",
    Loss.WIDTH: "the trace id's width of 64 bits: it went out padded to 128",
    Loss.PARENT: "the parent span id",
    Loss.TRACESTATE: "the other vendors' tracestate",
    Loss.TRACESTATE_CUT: "members of tracestate, for its length",
    Loss.RANDOM: "the random-trace-id flag",
    Loss.BARE: "a decision without ids got made-up ones: the parent is a span that nobody reports",
    Loss.BAGGAGE_CUT: "members of baggage, for length, number, or another of the same header name",
}

_REASONS = {
    Malformed.DUPLICATE: "more than one where exactly one is allowed",
    Malformed.SHAPE: "not the grammar: fields, lengths, delimiters or digits are wrong",
    Malformed.VERSION: "a version that is not supported",
    Malformed.ZERO_ID: "an id that is all zeros",
    Malformed.MISSING_ID: "a trace id without span id, or the other way round",
    Malformed.DECISION: "the sampling decision is not one of the known words",
    Malformed.PARENT_ID: "the parent span id is wrong and was dropped alone",
    Malformed.TRACESTATE: "the tracestate is wrong and was dropped alone",
    Malformed.NO_TRACEPARENT: "a tracestate without a traceparent",
    Malformed.EMPTY: "only white space",
    Malformed.TOO_LONG: "too long",
    Malformed.CHARACTERS: "illegal characters",
}


def explain(
    headers: Sequence[tuple[str, str]],
    extraction: Extraction,
    injection: Injection,
    propagator: Propagator,
    clear: Sequence[str] = (),
) -> str:
    """The whole table: read, result, written, lost. `clear`: families that are removed."""
    parts = ["read, in this order:", *read_lines(headers, extraction, propagator, clear)]
    parts += ["", "result:", *result_lines(extraction, injection.context), ""]
    parts += ["written:", *written_lines(injection.headers), "", "lost:", *lost_lines(injection.losses)]
    return page(parts)


def page(lines: Iterable[str]) -> str:
    """`lines` within 80 columns."""
    return "\n".join(map(_within, lines))


def read_lines(
    headers: Sequence[tuple[str, str]], extraction: Extraction, propagator: Propagator, clear: Sequence[str] = ()
) -> list[str]:
    """What each format says, and what becomes of the other headers."""
    said = {one.format: one for one in extraction.says}
    parts = []
    for format in propagator.extract_formats:
        parts += _read(format, said.get(format), extraction)
    for format, reason in extraction.malformed:
        what = diagnose(format, propagator.fields(headers)) or _REASONS.get(reason, reason)
        parts.append(f"  {format}: {reason}: {what}")
    unread = [format for format in propagator.known_formats if format not in propagator.extract_formats]
    for other in Propagator(extract=unread).extract(propagator.fields(headers)).says if unread else ():
        parts.append(f"  {other.format}: not asked for: not read, not passed on")
    ignored = sorted({name for name, _ in headers if not propagator.owns(name)}, key=str.lower)
    beside = _foreign(ignored)
    for family, names in beside.items():
        verdict = "removed" if family in clear else "another story passes beside ours"
        parts.append(f"  {family}: not translated, {verdict}: {', '.join(names)}")
    ignored = [name for name in ignored if family_of(name) is None]
    if ignored:
        parts.append(f"  not ours, passed on as they are: {', '.join(ignored)}")
    twins = sorted({name for name, _ in headers if propagator.owns(name) and not propagator.fields([(name, "")])})
    if twins:
        parts.append(f"  could be taken for ours, never read, not passed on: {', '.join(twins)}")
    return parts


def written_lines(headers: Iterable[tuple[str, str]]) -> list[str]:
    """The headers that go out."""
    return [f"  {name}: {value}" for name, value in headers] or ["  nothing"]


def lost_lines(losses: Iterable[tuple[Format, Loss]]) -> list[str]:
    """What the written formats cannot say."""
    return [f"  {format}: {loss}: {_LOSSES.get(loss, loss)}" for format, loss in losses] or ["  nothing"]


def _within(line: str) -> str:
    """`line` in as many lines of 80 columns as it takes; a header that is written stays in one, to be copied."""
    if len(line) <= _WIDTH or _WRITTEN.match(line):
        return line
    wrap = textwrap.TextWrapper(_WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(wrap.wrap(line))


def _foreign(names: Iterable[str]) -> dict[str, list[str]]:
    """The `names` of families that we do not translate, by family."""
    found: dict[str, list[str]] = {}
    for name in names:
        if (family := family_of(name)) is not None:
            found.setdefault(family, []).append(name)
    return found


def _headers(format: Format) -> str:
    """The headers in which `format` is written; several with one prefix as `X-B3-*`."""
    names = codec_of(format).writes
    prefix = _prefix(names)
    return f"{prefix}*" if len(names) > 2 and prefix else ", ".join(names)


def _prefix(names: Sequence[str]) -> str:
    """What all of them begin with."""
    first, last = min(names), max(names)
    return next((first[:i] for i, letter in enumerate(first) if letter != last[i : i + 1]), first)


def _read(format: Format, said: Said | None, extraction: Extraction) -> list[str]:
    """The content of one format, and below it its fate."""
    verdict = verdict_of(format, said, extraction)
    if said is None or said.what is None:
        return [f"  {format:12} {verdict}"]
    if isinstance(said.what, Sampling):
        return [f"  {format:12} no ids, decision {_decision(said.what)}", f"  {'':12} {verdict}"]
    context = said.what
    shown = context.trace_id[16:] if context.short else context.trace_id
    return [
        f"  {format:12} {shown:32} {context.span_id} {_decision(context.sampling)}",
        f"  {'':12} {verdict}",
    ]


def verdict_of(format: Format, said: Said | None, extraction: Extraction) -> str:
    """What became of what one format said, in a few words."""
    if said is None:
        return f"absent ({_headers(format)})"
    if said.what is None:
        return f"malformed ({said.malformed}): dropped" if said.malformed else "says nothing"
    if isinstance(said.what, Sampling):
        if format is extraction.winner:
            return "wins: nobody has ids"
        return (
            "a bare decision: another came first" if extraction.context is None else "a bare decision gives way to ids"
        )
    return _verdict(format, said.what, extraction)


def _verdict(format: Format, context: TraceContext, extraction: Extraction) -> str:
    if format is extraction.winner:
        before = list(takewhile(lambda said: said.format is not format, extraction.says))
        if not before:
            return "wins: the first"
        return "wins: the first with ids" if any(said.what for said in before) else "wins: the first that is valid"
    if any(loser is format for loser, _ in extraction.conflicts):
        return "conflict: another trace, dropped"
    if any(loser is format for loser, _ in extraction.span_conflicts):
        return "conflict of spans: the same trace, but another span"
    if extraction.context is not None and is_same_trace(context.trace_id, extraction.context.trace_id):
        return "the same trace: fills in what the winner cannot say"
    return "made-up ids: a real context wins"


def _decision(sampling: Sampling) -> str:
    return "none (defer)" if sampling is Sampling.DEFER else sampling.name.lower()


def result_lines(extraction: Extraction, written: TraceContext | None) -> list[str]:
    """What counts of the request. `written`: the context that goes out."""
    lines = []
    context = extraction.context
    if context is not None:
        lines.append(f"  trace {context.trace_id} span {context.span_id} decision {_decision(context.sampling)}")
        extras = [("64-bit trace id", context.short), ("random flag", context.random)]
        extras += [("ids made up for a bare decision", context.made_up)]
        extras += [(f"parent {context.parent_id}", bool(context.parent_id))]
        extras += [(f"tracestate {context.tracestate}", bool(context.tracestate))]
        found = [text for text, is_there in extras if is_there]
        lines += [f"  {', '.join(found)}"] if found else []
    elif extraction.decision is not None:
        made = f", sent with made-up ids {written.trace_id}" if written else ""
        lines.append(f"  a bare decision: {_decision(extraction.decision)}{made}")
    else:
        lines.append("  no trace context")
    if extraction.session is not None:
        lines.append(f"  session {extraction.session}")
    if extraction.session_malformed is not None:
        reason = extraction.session_malformed
        lines.append(f"  session malformed ({reason}): {_REASONS.get(reason, reason)}")
    if extraction.baggage is not None:
        lines.append(f"  baggage {', '.join(member.key for member in extraction.baggage.members) or 'empty'}")
    if extraction.baggage_malformed is not None:
        lines.append(f"  a member of baggage was dropped: {_REASONS.get(extraction.baggage_malformed, '')}")
    return lines


def as_json(
    headers: Sequence[tuple[str, str]],
    extraction: Extraction,
    injection: Injection,
    propagator: Propagator,
    clear: Sequence[str] = (),
) -> dict[str, object]:
    """All of it as JSON can say it."""
    return {
        "headers": [list(header) for header in injection.headers],
        **read_json(headers, extraction, propagator, clear),
        "losses": losses_json(injection.losses),
    }


def losses_json(losses: Iterable[tuple[Format, Loss]]) -> list[dict[str, str]]:
    """What the written formats cannot say."""
    return [{"format": format, "loss": loss} for format, loss in losses]


def read_json(
    headers: Sequence[tuple[str, str]], extraction: Extraction, propagator: Propagator, clear: Sequence[str] = ()
) -> dict[str, object]:
    """What each format says, who wins, and what else there is."""
    context = extraction.context
    beside = _foreign(dict.fromkeys(name for name, _ in headers if not propagator.owns(name)))
    return {
        "winner": extraction.winner,
        "context": _context(context) if context is not None else None,
        "decision": extraction.decision.name.lower() if extraction.decision is not None else None,
        "says": [
            {
                "format": one.format,
                "context": _context(one.what) if isinstance(one.what, TraceContext) else None,
                "decision": one.what.name.lower() if isinstance(one.what, Sampling) else None,
                "malformed": one.malformed,
            }
            for one in extraction.says
        ],
        "conflicts": [{"format": format, "context": _context(other)} for format, other in extraction.conflicts],
        "span_conflicts": [
            {"format": format, "context": _context(other)} for format, other in extraction.span_conflicts
        ],
        "session": extraction.session,
        "session_malformed": extraction.session_malformed,
        "baggage": [[one.key, one.value] for one in extraction.baggage.members] if extraction.baggage else None,
        "baggage_malformed": extraction.baggage_malformed,
        "foreign": [
            {"family": family, "what": "removed" if family in clear else "passed", "headers": names}
            for family, names in beside.items()
        ],
    }


def _context(context: TraceContext) -> dict[str, object]:
    return {**context._asdict(), "sampling": context.sampling.name.lower()}
