"""Rows of requests: from reports, which know the headers, and from sidecars' spans, which do not."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping
from typing import Any, Final

from proxy.console.intake.records import Span
from proxy.console.store.exchanges import is_probe
from proxy.console.store.summary import as_list, format_names

COLUMNS: Final = (
    "rid, at, sidecar, leg, source, target_service, method, target, status, fault, ms, formats_in, formats_out, "
    "winner, trace, span, sampling, short, session, notes, probe, retries"
)
_ALL: Final = f"{COLUMNS}, words, detail"
_MARKS: Final = ", ".join("?" * len(_ALL.split(",")))
# A report replaces the row that a span made; a span never replaces a report, which knows more.
_PUT: Final = f"INSERT OR REPLACE INTO requests ({_ALL}) VALUES ({_MARKS})"
_PUT_WITHOUT_DETAIL: Final = f"INSERT INTO requests ({_ALL}) VALUES ({_MARKS}) ON CONFLICT (rid) DO NOTHING"
_WORDS: Final = ("id", "method", "target", "from", "to", "trace", "session", "fault")
_SERVER: Final = 2
_LONGEST_TARGET: Final = 2048

Row = dict[str, Any]


def put_request(connection: sqlite3.Connection, row: Row, detail: Row | None = None) -> bool:
    """Store a Row as the API has it, and with `detail` what GET /requests/{id} adds. False: it was there already."""
    packed = zlib.compress(json.dumps(detail, ensure_ascii=False).encode(), 1) if detail is not None else None
    done = connection.execute(_PUT if detail is not None else _PUT_WITHOUT_DETAIL, (*_values(row), packed))
    return done.rowcount > 0


def _values(row: Row) -> tuple[Any, ...]:
    notes = [*row["notes"]]
    words = (*(row[key] for key in _WORDS), *notes)
    return (
        row["id"],
        int(row["at"] * 1e6),
        row["sidecar"],
        row["leg"],
        row["from"] or "",
        row["to"] or "",
        row["method"],
        row["target"],
        row["status"],
        row["fault"],
        row["ms"],
        as_list(row["in"]),
        as_list(row["out"]),
        row["winner"],
        bytes.fromhex(row["trace"]) if row["trace"] else None,
        bytes.fromhex(row["span"]) if row["span"] else None,
        row["sampling"],
        int(row["short"]),
        row["session"],
        as_list(notes),
        int(row["probe"]),
        row["retries"],
        "\n".join(word for word in words if word).lower(),
    )


def read_row(values: tuple[Any, ...]) -> Row:
    """The Row of `COLUMNS`, as the API has it."""
    (rid, at, sidecar, leg, source, target_service, method, target, status, fault, ms, formats_in, formats_out,
     winner, trace, span, sampling, short, session, notes, probe, retries) = values  # fmt: skip
    return {
        "id": rid,
        "at": at / 1e6,
        "sidecar": sidecar,
        "leg": leg,
        "from": source,
        "to": target_service,
        "method": method,
        "target": target,
        "status": status,
        "fault": fault,
        "ms": ms,
        "in": formats_in.split(),
        "out": formats_out.split(),
        "winner": winner,
        "trace": trace.hex() if trace else None,
        "span": span.hex() if span else None,
        "sampling": sampling,
        "short": bool(short),
        "session": session,
        "notes": notes.split(),
        "probe": bool(probe),
        "retries": retries,
    }


def row_of_span(span: Span) -> Row:
    """What a sidecar's own span says of its exchange. Anybody can send one, so nothing in it is taken for granted."""
    said = span.attributes
    is_inbound = span.kind == _SERVER
    service = span.source.service
    upstream = _text(said, "ops.upstream") or _text(said, "server.address")
    read, written = _formats(said, "ops.formats.read"), _formats(said, "ops.formats.written")
    status = said.get("http.response.status_code")
    error = _text(said, "error.type")
    target = (_text(said, "url.path") or _path(_text(said, "url.full")))[:_LONGEST_TARGET]
    notes = ["malformed"] * bool(said.get("ops.malformed")) + ["retry"] * ("http.request.resend_count" in said)
    notes += ["linked"] * ("ops.link.method" in said) + ["carry-over"] * ("ops.carried_over" in said)
    notes += ["conflict"] * ("conflict" in span.links)
    return {
        "id": f"r_{span.span.hex()}",
        "at": span.started / 1e6,
        "sidecar": service,
        "leg": "in" if is_inbound else "out",
        "from": _text(said, "client.address") if is_inbound else service,
        "to": service if is_inbound else upstream,
        "method": _text(said, "http.request.method_original") or _text(said, "http.request.method"),
        "target": target,
        "status": status if _is_count(status) else None,
        "fault": error if error and not error.isdigit() else None,
        "ms": (span.ended - span.started) / 1e6,
        "in": read,
        "out": written,
        "winner": read[0] if read else None,
        "trace": span.trace.hex(),
        "span": span.span.hex(),
        "sampling": "accept",
        "short": False,
        "session": span.session,
        "notes": notes,
        "probe": is_probe(target, _text(said, "user_agent.original")),
        "retries": resent if _is_count(resent := said.get("http.request.resend_count")) else 0,
    }


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    return value[:_LONGEST_TARGET] if isinstance(value, str) else ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


def _formats(said: Mapping[str, Any], key: str) -> list[str]:
    value = said.get(key)
    return format_names(value)


def _path(url: str) -> str:
    """The path of a URL, without its query."""
    rest = url.partition("://")[2]
    slash = rest.find("/")
    return rest[slash:].partition("?")[0] if slash >= 0 else "/"
