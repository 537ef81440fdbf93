"""How the console itself is, and the sidecars that report to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from proxy.console.query.sidecars import sidecars
from proxy.console.query.words import plural
from proxy.console.store.reader import Reader

Answer = dict[str, Any]

_MOST_SERVICES: Final = 200
_TOKEN: Final = "'authorization=Bearer TOKEN'"  # console.otlp_token; not its value, which the page must not know


def health(reader: Reader, state: Mapping[str, Any], now_ns: int) -> Answer:
    """`state`: what the console counts by itself."""
    ((traces, spans, oldest),) = reader.all("SELECT count(*), ifnull(sum(spans), 0), min(started) FROM traces")
    ((requests,),) = reader.all("SELECT count(*) FROM requests")
    store = {
        **state["store"],
        "traces": traces,
        "spans": spans,
        "requests": requests,
        "oldest": oldest / 1e6 if oldest is not None else None,
    }
    found = sidecars(reader, now_ns)
    return {"console": {**state, "store": store}, "sidecars": found, "sentence": _sentence(store, state, found)}


def _sentence(store: Answer, state: Mapping[str, Any], found: list[Answer]) -> str:
    said = f"The console holds {plural(store['spans'], 'span')} of {plural(store['traces'], 'trace')}"
    lost = sum(state["lost"].values())
    refused = sum(state["refused"].values())
    if lost:
        said += f"; {plural(lost, 'record was', 'records were')} lost by the store"
    if refused:
        said += f"; {plural(refused, 'request was', 'requests were')} refused"
    who = plural(len(found), "sidecar reports", "sidecars report") if found else "No sidecar reports"
    return f"{said}. {who} to it."


def myself(reader: Reader, state: Mapping[str, Any], now_ns: int) -> Answer:
    """Who this is, and what a first visitor has to set."""
    services = reader.all("SELECT service FROM resources GROUP BY service ORDER BY min(id) LIMIT ?", (_MOST_SERVICES,))
    ((traces, requests),) = reader.all("SELECT (SELECT count(*) FROM traces), (SELECT count(*) FROM requests)")
    otlp = state["otlp"]
    standard = f"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT={otlp}"
    sidecar = f"ops-sidecar run --set export.endpoint={otlp} --set console.report.endpoint={otlp}"
    if state["otlp_auth"]:
        standard += f" OTEL_EXPORTER_OTLP_HEADERS={_TOKEN}"
        sidecar += f" --set export.headers={_TOKEN} --set console.report.headers={_TOKEN}"
    return {
        "service": "console",
        "instance": state["instance"],
        "version": state["version"],
        "services": [name for (name,) in services],
        "auth": state["auth"],
        "receives": otlp or None,
        "sidecars": len(sidecars(reader, now_ns)),
        "traces": traces,
        "requests": requests,
        "first_run": {
            "otlp": standard if otlp else None,
            "sidecar": sidecar if otlp else None,
            "demo": "ops-sidecar demo --keep",
        },
    }
