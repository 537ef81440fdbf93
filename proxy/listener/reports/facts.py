"""What is told of an exchange that is over: who called, what came, what went out. Values in, values out.

May know what is accounted, translations, and the rules of the listener. Must not know how it is told.
Reads no headers again: a translation by the fast path already knows its ids.
"""

from __future__ import annotations

from typing import Final

from ops_lib.propagation import Sampling
from proxy.listener.accounting import Accounted
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.sides import Asker
from proxy.semantics.request import Request
from proxy.telemetry.report.exchange import NOTHING_RARE, Rare, Timing
from proxy.translated import FastTranslation, FullTranslation, Translation

SIDECAR: Final = "sidecar"
CERTIFICATE: Final = "certificate"
RULE: Final = "rule"
ADDRESS: Final = "address"

OURS: Final = b".ops-sidecar"  # the end of our name in Via (`DataPlane`)
_PADDING: Final = b"0" * 16
_SAMPLED: Final = 1

Context = tuple[bytes, bytes, int]
"""Trace id, span id, flags."""


def peer_of(rules: ListenerRules, asker: Asker, request: Request) -> tuple[str, str]:
    """Who called: the kind of name, and the name. The surest that is known counts."""
    via = request.via[-1] if request.via else request.field(b"via")  # only a listener that writes it reads it
    if via:
        name = via.rpartition(b",")[2].strip().rpartition(b" ")[2]
        if name.endswith(OURS):
            return SIDECAR, name[: -len(OURS)].rpartition(b".")[2].decode("latin-1")
    if asker.names:
        return CERTIFICATE, asker.names[0]
    if rules.has_trust:
        rule = rules.rule_of(asker)
        if rule:
            return RULE, rules.trust_names[rule]
    return ADDRESS, asker.address.decode("latin-1") or "unix"


def read_tokens(translation: Translation, unread: str) -> str:
    """What came, as tokens joined by commas. `unread`: formats that are known here and not asked for, likewise.

    `b3` is valid, `b3!shape` malformed, `b3~` of another trace than the winner, `b3^` of another span.
    `b3?` was not asked for; `datadog+` passed beside, and `datadog-` was removed.
    """
    told = translation.read if isinstance(translation, FastTranslation) else _full_tokens(translation)
    if unread:
        told = f"{told},{unread}" if told else unread
    if translation.foreign:
        beside = ",".join([family + ("+" if what == "passed" else "-") for family, what in translation.foreign])
        told = f"{told},{beside}" if told else beside
    return told


def _full_tokens(translation: FullTranslation) -> str:
    extraction = translation.extraction
    if extraction is None or not (extraction.says or extraction.malformed):
        return ""
    others = {format for format, _ in extraction.conflicts}
    spans = {format for format, _ in extraction.span_conflicts}
    tokens = []
    for said in extraction.says:
        if said.what is not None:
            tokens.append(said.format + ("~" if said.format in others else "^" if said.format in spans else ""))
    tokens += [f"{format}!{reason}" for format, reason in extraction.malformed]
    return ",".join(tokens)


def winner_of(translation: Translation) -> str:
    """The format that counted; empty for none."""
    if isinstance(translation, FastTranslation):
        return str(translation.winner)
    extraction = translation.extraction
    return str(extraction.winner) if extraction is not None and extraction.winner is not None else ""


def context_of(translation: Translation) -> tuple[Context | None, str, bool]:
    """What went out, its decision in words, and whether its trace id has 64 bits."""
    if isinstance(translation, FastTranslation):
        trace_id, span_id, flag = translation.plain[0]
        is_short = len(trace_id) == 16
        is_sampled = flag == b"1"
        context = _PADDING + trace_id if is_short else trace_id, span_id, _SAMPLED if is_sampled else 0
        return context, "accept" if is_sampled else "deny", is_short
    said = translation.context
    if said is None or not translation.injected:
        return None, "", False
    flags = _SAMPLED if said.sampling in (Sampling.ACCEPT, Sampling.DEBUG) else 0
    context = said.trace_id.encode("ascii"), said.span_id.encode("ascii"), flags
    return context, said.sampling.name.lower(), said.short


def parent_of(translation: Translation) -> bytes:
    """The caller's span, if ours took its place; empty if not."""
    if isinstance(translation, FastTranslation):
        return translation.ids[1] if translation.ids[1] != translation.plain[0][1] else b""
    came, went = translation.extraction, translation.context
    if came is None or came.context is None or went is None or came.context.span_id == went.span_id:
        return b""
    return came.context.span_id.encode("ascii")


def timing_of(accounted: Accounted) -> Timing | None:
    """Where its time went, as far as it came; None: it never had a connection to the upstream."""
    extras = accounted.extras
    if extras is None or extras.waited_s < 0:
        return None
    connect_s = min(extras.connect_s, extras.waited_s)
    return Timing(extras.waited_s - connect_s, connect_s, extras.head_s - extras.waited_s)


def rare_of(accounted: Accounted, translation: Translation, detail: str) -> Rare:
    """What few exchanges have. `detail`: of a fault, empty for none."""
    if isinstance(translation, FastTranslation):
        if not (
            detail or accounted.resends or accounted.findings or translation.losses or translation.withheld
        ):  # nearly always
            return NOTHING_RARE
        return Rare(
            fault_detail=detail,
            lost=_lost(translation),
            withheld=translation.withheld,
            retries=accounted.resends,
            findings=accounted.findings,
            request_of=accounted.request_of,
        )
    extraction, link = translation.extraction, translation.link
    is_bare = extraction is not None and extraction.context is None and extraction.decision is not None
    return Rare(
        fault_detail=detail,
        bare=is_bare,
        made=is_bare and translation.context is not None,
        lost=_lost(translation),
        carried=translation.carried,
        linked=translation.linked or "",
        withheld=translation.withheld,
        refused=translation.refused,
        link=f"{link.trace_id}-{link.span_id}" if link is not None else "",
        retries=accounted.resends,
        findings=accounted.findings,
        request_of=accounted.request_of,
    )


def _lost(translation: Translation) -> tuple[str, ...]:
    return tuple([f"{format}:{what}" for format, what in translation.losses])
