"""What pasted headers say, who wins and why, and what would go out to whom: as JSON, headers in parts. PURE.

May know the heart. What a plan does with trust and egress is `by_plan`'s; here an upstream is what a sidecar reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ops_lib.propagation import (
    FORMATS,
    KNOWN_FORMATS,
    Extraction,
    Format,
    Propagator,
    Sampling,
    TraceContext,
    codec_of,
)
from proxy.explain.curl import is_curl, read_curl
from proxy.explain.diagnosis import diagnose
from proxy.explain.groups import Facts, groups
from proxy.explain.headers import Header, HeaderInputError, read_headers, read_transcript
from proxy.explain.names import format_name, formats, loss_name
from proxy.explain.parts import parts
from proxy.explain.reading import verdict_of
from proxy.explain.tokens import MALFORMED, OTHER_SPAN, OTHER_TRACE, VALID, Token

Answer = dict[str, Any]

LONGEST: Final = 64 * 1024  # characters that are read
_MOST_HEADERS: Final = 200


def read_pasted(text: str) -> tuple[list[Header], str | None]:
    """Headers, a transcript, or a curl command; and what could not be read, in words."""
    if len(text) > LONGEST:
        return [], f"The text has {len(text):,} characters. It may have {LONGEST:,}."
    try:
        return (read_curl(text) if is_curl(text) else read_transcript(text))[:_MOST_HEADERS], None
    except HeaderInputError as error:
        wrong = f"{error}."
    found: list[Header] = []
    for line in text.splitlines():
        try:
            found += read_headers([line])
        except HeaderInputError:
            continue
    return found[:_MOST_HEADERS], wrong[:1].upper() + wrong[1:]


def explain_pasted(text: str, upstreams: Sequence[Mapping[str, Any]]) -> Answer:
    """`upstreams`: each with `sidecar`, `name`, `inject`, `extract`, and `egress`, where what may leave is bounded."""
    headers, wrong = read_pasted(text)
    propagator = Propagator(extract=FORMATS)
    extraction = propagator.extract(propagator.fields(headers))
    injection = propagator.inject(extraction)
    ours = [header for header in headers if propagator.owns(header[0])]
    made = groups(ours, injection.headers, _facts(extraction, injection))
    return {
        "read": len(headers),
        "error": wrong,
        "says": [_says(format, headers, extraction, propagator) for format in propagator.extract_formats],
        "winner": extraction.winner,
        "record": _record(extraction.context) if extraction.context is not None else None,
        "bare": extraction.decision.name.lower() if extraction.decision is not None else None,
        "session": extraction.session,
        "groups": made,
        "to": [_to(upstream, headers) for upstream in upstreams],
        "sentence": _sentence(extraction, headers),
    }


def _facts(extraction: Extraction, injection: Any) -> Facts:
    return Facts(
        tokens=tuple(_tokens(extraction)),
        written=tuple(injection.formats),
        winner=extraction.winner or "",
        sampling=injection.context.sampling.name.lower() if injection.context is not None else "",
        bare=extraction.decision is not None,
        lost=tuple((format, str(what)) for format, what in injection.losses),
    )


def _tokens(extraction: Extraction) -> list[Token]:
    others = {format for format, _ in extraction.conflicts}
    spans = {format for format, _ in extraction.span_conflicts}
    found = []
    for said in extraction.says:
        if said.malformed and said.what is None:
            found.append(Token(said.format, MALFORMED, str(said.malformed)))
        elif said.what is not None:
            fate = OTHER_TRACE if said.format in others else OTHER_SPAN if said.format in spans else VALID
            found.append(Token(said.format, fate))
    return found


def _says(format: Format, headers: Sequence[Header], extraction: Extraction, propagator: Propagator) -> Answer:
    said = next((one for one in extraction.says if one.format == format), None)
    names = codec_of(format).names
    made: Answer = {
        "format": format,
        "headers": [parts(*header) for header in headers if header[0].lower() in names],
        "verdict": verdict_of(format, said, extraction),
    }
    if said is None:
        return {**made, "absent": True}
    if isinstance(said.what, TraceContext):
        made["record"] = _record(said.what)
    elif isinstance(said.what, Sampling):
        made["decision"] = said.what.name.lower()
    elif said.malformed:
        made["malformed"] = diagnose(format, propagator.fields(headers)) or str(said.malformed)
        made["verdict"] = f"malformed: {made['malformed']}"
    if any(loser == format for loser, _ in extraction.conflicts):
        made["conflict"] = True
    return made


def _record(context: TraceContext) -> Answer:
    return {
        "trace": context.trace_id,
        "span": context.span_id,
        "sampling": context.sampling.name.lower(),
        "short": context.short,
        "random": context.random,
        "parent": context.parent_id,
        "state": context.tracestate,
        **({"made": True} if context.made_up else {}),
    }


def _to(upstream: Mapping[str, Any], headers: Sequence[Header]) -> Answer:
    """What would go out to one upstream."""
    known = frozenset(KNOWN_FORMATS)
    extract = [Format(one) for one in upstream.get("extract") or FORMATS if one in known]
    inject = [Format(one) for one in upstream["inject"] if one in known]
    propagator = Propagator(extract=extract or FORMATS, inject=inject or (Format.TRACECONTEXT,))
    extraction = propagator.extract(propagator.fields(headers))
    injection = propagator.inject(extraction)
    allowed = upstream.get("egress") or {}
    is_barred = allowed.get("trace") is False
    return {
        "sidecar": upstream["sidecar"],
        "name": upstream["name"],
        "inject": inject,
        **({"egress": True} if is_barred else {}),
        "headers": [] if is_barred else [parts(*header) for header in injection.headers],
        "lost": [] if is_barred else list(dict.fromkeys(loss_name(str(what)) for _, what in injection.losses)),
    }


def _sentence(extraction: Extraction, headers: Sequence[Header]) -> str:
    if not headers:
        return "Paste headers, one a line, or a curl command."
    if extraction.decision is not None:
        decision = extraction.decision.name.lower()
        return f"Only a decision came: {decision}. Formats that need ids get made-up ones, marked where there is room."
    if extraction.winner is None:
        if extraction.malformed:
            return "Nothing valid. Malformed headers are removed; the request goes on untraced."
        return "No trace header. A translating sidecar adds nothing."
    losers = [format for format, _ in extraction.conflicts]
    said = f"{format_name(extraction.winner)} wins: the first valid format in the order that is read."
    return f"{said} {formats(losers)} told another trace." if losers else said
