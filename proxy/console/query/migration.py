"""Who still sends and needs which format, and what can be switched off.

A request needs a format if it tells its trace in no other. "Safe" is said only of a time that was reported whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from ops_lib.propagation import KNOWN_FORMATS, Format, codec_of
from proxy.console.query.reported.coverage import Coverage, Known
from proxy.console.query.reported.peers import Peers
from proxy.console.query.reported.verdicts import Needs, verdict
from proxy.console.query.shadow import shadow
from proxy.console.query.words import plural
from proxy.console.store.reader import Reader
from proxy.console.store.report_counts import DAY_MS
from proxy.explain.names import format_name, loss_name
from proxy.explain.tokens import Token, alone, read_tokens

Answer = dict[str, Any]

WINDOW_DAYS: Final = 14
_DAYS: Final = 28
_MOST_ROWS: Final = 200_000
_MOST_CELLS: Final = 5_000
_NONE: Final = "none"


class _Row(NamedTuple):
    service: str
    leg: str
    peer: str
    is_sidecar: bool
    upstream: str
    tokens: tuple[Token, ...]
    written: tuple[str, ...]
    day: int
    number: int
    last: int


def migration(reader: Reader, now_ns: int, *, days: int = WINDOW_DAYS) -> Answer:
    """`days`: the window of a verdict."""
    now_ms = now_ns // 1_000_000
    known = Known(reader, now_ns)
    rows = _rows(reader, now_ms)
    cells = _cells(rows, now_ms, days)
    verdicts = _verdicts(rows, known, now_ms, days)
    order = {True: 0, "soon": 1, False: 2}
    verdicts.sort(key=lambda one: (order[one["safe"]], one["peer"], one["format"]))
    seen = {cell["format"] for cell in cells}
    return {
        "window_days": days,
        "requests": sum(row.number for row in rows if row.leg == "in" and row.day > (now_ms // DAY_MS) - days),
        "formats": [one for one in (*KNOWN_FORMATS, _NONE) if one in seen],
        "cells": cells,
        "verdicts": verdicts,
        "sentence": _sentence(known, verdicts),
        "shadow": shadow(reader),
        "gap": known.gap(now_ms - days * DAY_MS) if known.services else "No sidecar reports yet.",
    }


def _rows(reader: Reader, now_ms: int) -> list[_Row]:
    peers = Peers(reader)
    found = reader.all(
        "SELECT service, leg, kind, peer, upstream, host, read, written, day, count, last FROM format_days "
        "WHERE day > ? ORDER BY last DESC LIMIT ?",
        (now_ms // DAY_MS - _DAYS, _MOST_ROWS),
    )
    return [
        _Row(
            service,
            leg,
            peers.name(kind, peer) if leg == "in" else service,
            kind == "sidecar" and not peers.is_silent(kind, peer),
            host or upstream,
            read_tokens(read.split(",")),
            tuple(one for one in written.split(",") if one),
            day,
            count,
            last,
        )
        for service, leg, kind, peer, upstream, host, read, written, day, count, last in found
    ]


def _cells(rows: Iterable[_Row], now_ms: int, days: int) -> list[Answer]:
    """Who sends what to a sidecar, and who gets what from one."""
    cells: dict[tuple[str, str, str], Answer] = {}
    today = now_ms // DAY_MS

    def add(peer: str, role: str, formats: Sequence[str], row: _Row) -> None:
        for format in formats or (_NONE,):
            cell = cells.setdefault(
                (peer, role, format),
                {"peer": peer, "role": role, "format": format, "count": 0, "last": 0, "days": [0] * _DAYS},
            )
            at = _DAYS - 1 - (today - row.day)
            if 0 <= at < _DAYS:
                cell["days"][at] += row.number
            if row.day > today - days:
                cell["count"] += row.number
            cell["last"] = max(cell["last"], row.last)

    for row in rows:
        if row.leg == "call":
            continue
        if not row.is_sidecar:  # what a sidecar sends is what its peer gets
            add(row.peer, "sends", tuple(dict.fromkeys(t.format for t in row.tokens if t.is_valid)), row)
        add(f"{row.service}’s app" if row.leg == "in" else row.upstream, "gets", row.written, row)
    found = sorted(cells.values(), key=lambda cell: (cell["role"], cell["peer"], cell["format"]))
    return found[:_MOST_CELLS]


def _verdicts(rows: Sequence[_Row], known: Known, now_ms: int, days: int) -> list[Answer]:
    found: list[Answer] = []
    for service in known.services:
        coverage = known.of(service)
        own = [row for row in rows if row.service == service]
        inbound = [row for row in own if row.leg == "in"]
        for format in _old(token.format for row in inbound for token in row.tokens if token.is_valid):
            found.append(_at_service(service, format, inbound, coverage, now_ms, days))
        for format in _old(format for row in inbound for format in row.written):
            found.append(_at_app(service, format, own, coverage, now_ms, days))
    reporting = set(known.services)
    outbound = [row for row in rows if row.leg == "out" and row.upstream not in reporting]
    for upstream in sorted({row.upstream for row in outbound}):
        to = [row for row in outbound if row.upstream == upstream]
        for format in _old(format for row in to for format in row.written):
            found.append(_at_stranger(upstream, format, to, now_ms, days))
    return found


def _old(formats: Iterable[str]) -> list[str]:
    """The formats that one may want to leave behind."""
    return sorted({each for each in formats if each != Format.TRACECONTEXT and each in KNOWN_FORMATS})


def _in_window(rows: Iterable[_Row], now_ms: int, days: int) -> list[_Row]:
    return [row for row in rows if row.last >= now_ms - days * DAY_MS]


def _at_service(
    service: str, format: str, inbound: Sequence[_Row], coverage: Coverage, now_ms: int, days: int
) -> Answer:
    """What reaches a sidecar: a request that has this format alone needs it."""
    needing = [row for row in inbound if alone(row.tokens) == format]
    others = sorted({t.format for row in inbound for t in row.tokens if t.is_valid and t.format != format})
    others = others or [Format.TRACECONTEXT]
    needs = _needs(inbound, needing, now_ms, days)
    told = verdict(service, format, needs, coverage, now_ms, days)
    return {
        "peer": service,
        "role": "gets",
        "format": format,
        **told,
        "lost": _lost(format, others) if told["safe"] is not False else [],
        "change": f"upstreams[{service}].propagation.inject: [{', '.join(others)}]",
    }


def _at_app(service: str, format: str, own: Sequence[_Row], coverage: Coverage, now_ms: int, days: int) -> Answer:
    """What reaches the app behind it: its calls tell what it reads, if it gets more than one format."""
    name = f"{service}’s app"
    given = [row for row in own if row.leg == "in" and format in row.written]
    is_alone = any(len(row.written) == 1 for row in _in_window(given, now_ms, days))
    calls = [row for row in own if row.leg == "call" and format in row.written and len(row.written) > 1]
    others = sorted({each for row in given for each in row.written if each != format}) or [Format.TRACECONTEXT]
    change = f"inbound.propagation.inject: [{', '.join(others)}]"
    base = {"peer": name, "role": "gets", "format": format, "lost": _lost(format, others), "change": change}
    needs = _needs(calls, [row for row in calls if alone(row.tokens) == format], now_ms, days)
    if is_alone or not needs.of:
        return {**base, **_untold(name, format, is_alone=is_alone)}
    return {**base, **verdict(name, format, needs, coverage, now_ms, days, what="call")}


def _at_stranger(upstream: str, format: str, to: Sequence[_Row], now_ms: int, days: int) -> Answer:
    """An upstream that has no sidecar which reports: nobody sees what it reads."""
    recent = _in_window(to, now_ms, days)
    others = sorted({each for row in to for each in row.written if each != format}) or [Format.TRACECONTEXT]
    is_alone = any(row.written == (format,) for row in recent)
    base = {
        "peer": upstream,
        "role": "gets",
        "format": format,
        "lost": _lost(format, others),
        "change": f"upstreams[{upstream}].propagation.inject: [{', '.join(others)}]",
    }
    return {**base, **_untold(upstream, format, is_alone=is_alone and bool(recent))}


def _untold(name: str, format: str, *, is_alone: bool) -> Answer:
    if is_alone:
        why = "It is the only format that goes there. Write another one beside it first, and see which one is used."
    else:
        why = "Nothing that is reported shows which format it reads: no sidecar of its own, or no calls to tell by."
    return {"safe": False, "sentence": f"Not yet: nobody knows whether {name} needs {format_name(format)}.", "why": why}


def _needs(all_rows: Sequence[_Row], needing: Sequence[_Row], now_ms: int, days: int) -> Needs:
    last = max(needing, key=lambda row: row.last, default=None)
    recent = _in_window(needing, now_ms, days)
    by_peer: dict[str, int] = {}
    for row in recent:
        by_peer[row.peer] = by_peer.get(row.peer, 0) + row.number
    return Needs(
        of=sum(row.number for row in all_rows if row.day > now_ms // DAY_MS - days),  # whole days, rather too few
        number=sum(by_peer.values()),
        last=last.last if last is not None else 0,
        last_peer=last.peer if last is not None else "",
        peers=tuple(sorted(by_peer, key=lambda peer: -by_peer[peer])),
        rows=tuple((row.last, row.number) for row in all_rows),
    )


def _lost(format: str, others: Iterable[str]) -> list[str]:
    """What this format says, and none of the others can."""
    cannot = [codec_of(Format(each)).cannot_say - codec_of(Format(each)).keeps for each in others]
    lost = frozenset.intersection(*cannot) if cannot else frozenset()
    return [loss_name(what) for what in sorted(lost - codec_of(Format(format)).cannot_say)]


def _sentence(known: Known, verdicts: Sequence[Answer]) -> str:
    if not known.services:
        return "No sidecar reports yet: set console.report.endpoint there."
    if not verdicts:
        return "Everything that was reported speaks W3C: there is nothing to switch off."
    safe = sum(one["safe"] is True for one in verdicts)
    rest = len(verdicts) - safe
    if not safe:
        return f"Nothing can be stopped today: {plural(rest, 'format')} may still be needed."
    more = f"; {rest:,} more may still be needed" if rest else ""
    return f"{plural(safe, 'format')} can be stopped today without losing a trace{more}."
