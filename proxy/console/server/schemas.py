"""The schemas of the API's answers (JSON Schema 2020-12). Values only.

A key that may be missing is not in `required`; a reader ignores keys that it does not know.
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TRUTH: Final = {"type": "boolean"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_COUNTS: Final = {"type": "object", "additionalProperties": _COUNT}
_ANY: Final[Schema] = {"type": "object"}
_TRACE_ID: Final = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_SPAN_ID: Final = {"type": "string", "pattern": "^[0-9a-f]{16}$"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(optional: dict[str, Schema] | None = None, **required: Schema) -> Schema:
    """An object with these keys; `from` and other words of Python are written with a trailing `_`."""
    keys = {name.rstrip("_"): schema for name, schema in required.items()}
    return {"type": "object", "required": list(keys), "properties": {**keys, **(optional or {})}}


def _and(name: str, schema: Schema) -> Schema:
    return {"allOf": [_ref(name), schema]}


_PART: Final = _object({"field": {"enum": ["trace", "span", "decision", "state", "session", "baggage"]}}, text=_TEXT)
_RECORD: Final = _object(
    {"made": _TRUTH, "random": _TRUTH, "state": _or_null(_TEXT)},
    trace=_TRACE_ID,
    span=_SPAN_ID,
    sampling=_TEXT,
    short=_TRUTH,
    parent=_or_null(_TEXT),
)

SCHEMAS: Final[dict[str, Schema]] = {
    "Problem": _object(type=_TEXT, title=_TEXT, status=_COUNT, detail=_TEXT),
    "Page": _object(
        {"histogram": _list(_object(lo=_NUMBER, hi=_NUMBER, count=_COUNT, errors=_COUNT))},
        items={"type": "array"},
        next=_or_null(_TEXT),
        error=_or_null(_TEXT),
        total=_or_null(_COUNT),
        searched_to=_or_null(_NUMBER),
        sentence=_TEXT,
    ),
    "Self": _object(
        service=_TEXT,
        instance=_TEXT,
        version=_TEXT,
        services=_TEXTS,
        auth=_TRUTH,
        receives=_or_null(_TEXT),
        sidecars=_COUNT,
        traces=_COUNT,
        requests=_COUNT,
        first_run=_ANY,
    ),
    "Health": _object(
        console=_object(
            version=_TEXT,
            instance=_TEXT,
            started=_NUMBER,
            otlp=_or_null(_TEXT),
            auth=_TRUTH,
            otlp_auth=_TRUTH,
            store=_object(
                kind={"enum": ["memory", "file"]},
                path=_or_null(_TEXT),
                bytes=_COUNT,
                limit_bytes=_COUNT,
                waiting_bytes=_COUNT,
                removed=_COUNT,
                traces=_COUNT,
                spans=_COUNT,
                requests=_COUNT,
                oldest=_or_null(_NUMBER),
            ),
            received=_COUNTS,
            rejected=_COUNTS,
            not_kept=_COUNTS,
            repeated=_COUNT,
            overfull=_COUNT,
            refused=_COUNTS,
            lost=_COUNTS,
            stream=_object(readers=_COUNT, lost=_COUNT, cut=_COUNT),
            forward=_or_null(_ANY),
        ),
        sidecars=_list(_ANY),
        sentence=_TEXT,
    ),
    "TraceRow": _object(
        id=_TRACE_ID,
        title=_TEXT,
        root=_object(service=_TEXT, name=_TEXT),
        from_=_or_null(_TEXT),
        start=_NUMBER,
        ms=_NUMBER,
        session=_or_null(_TEXT),
        errors=_COUNT,
        spans_count=_COUNT,
        services=_list(_object(name=_TEXT, spans=_COUNT)),
        formats=_TEXTS,
        notes=_TEXTS,
    ),
    "Trace": _and("TraceRow", _object(spans=_list(_ref("Span")), sentence=_TEXT, truncated=_COUNT)),
    "Span": _object(
        {
            "missing": {"const": True},
            "guess": {"const": True},
            "outside": {"const": True},
            "sentence": _TEXT,
            "request": _TEXT,
            "in": _TEXTS,
            "out": _TEXTS,
            "message": _TEXT,
            "trace_state": _TEXT,
            "logs": _list(_object(at=_NUMBER, severity=_TEXT, body=_TEXT, attrs=_ANY)),
        },
        id=_SPAN_ID,
        parent=_or_null(_SPAN_ID),
        service=_TEXT,
        name=_TEXT,
        kind={"enum": ["internal", "server", "client", "producer", "consumer"]},
        start=_NUMBER,
        ms={"type": "number", "minimum": 0},
        status={"enum": ["ok", "error", "unset"]},
        attrs=_ANY,
        events=_list(_object(at=_NUMBER, name=_TEXT, attrs=_ANY)),
        links=_list(_object(trace=_TEXT, span=_TEXT, why=_TEXT, attrs=_ANY)),
        scope=_TEXT,
    ),
    "Uploaded": _object(traces=_list(_TRACE_ID), spans=_COUNT, rejected=_COUNT),
    "Row": _object(
        id=_TEXT,
        at=_NUMBER,
        sidecar=_TEXT,
        leg={"enum": ["in", "out"]},
        from_=_TEXT,
        to=_TEXT,
        method=_TEXT,
        target=_TEXT,
        status=_or_null(_COUNT),
        fault=_or_null(_TEXT),
        ms=_NUMBER,
        in_=_TEXTS,
        out=_TEXTS,
        winner=_or_null(_TEXT),
        trace=_or_null(_TRACE_ID),
        span=_or_null(_SPAN_ID),
        sampling=_or_null({"enum": ["accept", "deny", "debug", "defer"]}),
        short=_TRUTH,
        session=_or_null(_TEXT),
        notes=_TEXTS,
        probe=_TRUTH,
        retries=_COUNT,
    ),
    "Parts": _object(name=_TEXT, parts=_list(_PART)),
    "Group": _object(
        verdict={"enum": ["kept", "rewritten", "removed", "merged", "added"]},
        ins=_list(_ref("Parts")),
        outs=_list(_ref("Parts")),
        title=_TEXT,
        why=_TEXTS,
    ),
    "Request": _and(
        "Row",
        _object(
            {  # of a request whose headers were reported
                "findings": _TEXTS,
                "request_of": _or_null(_TEXT),
                "fault_detail": _or_null(_TEXT),
            },
            groups=_list(_ref("Group")),
            passed=_list(_object({"masked": _TRUTH}, name=_TEXT, value=_TEXT)),
            added=_list(_object(name=_TEXT, value=_TEXT)),
            removed=_TEXTS,
            response=_list(_object({"masked": _TRUTH}, name=_TEXT, value=_TEXT)),
            record=_or_null(_RECORD),
            bare=_or_null(_TEXT),
            conflicts=_list(_object(winner=_TEXT, loser=_TEXT, trace=_TEXT, span=_TEXT)),
            lost=_TEXTS,
            link=_or_null(_TEXT),
            timing=_or_null(
                _object(queue=_NUMBER, connect=_or_null(_NUMBER), head=_or_null(_NUMBER), body=_or_null(_NUMBER))
            ),
            headers=_TRUTH,
            sentence=_TEXT,
            hops=_list(_ref("Row")),
            newer=_or_null(_TEXT),
            older=_or_null(_TEXT),
        ),
    ),
    "Session": _object(
        id=_TEXT,
        first=_NUMBER,
        last=_NUMBER,
        requests=_COUNT,
        errors=_COUNT,
        services=_TEXTS,
        via=_TEXT,
        marks=_list(_object(trace=_TRACE_ID, start=_NUMBER, ms=_NUMBER, errors=_COUNT)),
    ),
    "SessionRow": _and("Session", _object(traces=_COUNT)),
    "SessionTraces": _and("Session", _object(traces=_list(_ref("TraceRow")), sentence=_TEXT)),
    "Doctor": _object(
        window=_object(from_=_NUMBER, to=_NUMBER, requests=_COUNT),
        checks={"type": "array"},
        services=_list(_object(name=_TEXT, sentence=_TEXT, runtime=_TEXT, speaks=_TEXTS, calls=_COUNT, checks=_ANY)),
        findings=_list(
            _object(
                {"at": _TEXT},  # of a caller: the service that it calls
                service=_TEXT,
                check=_TEXT,
                key=_TEXT,
                severity={"enum": ["warn", "fail"]},
                sentence=_TEXT,
                bad=_COUNT,
                of=_COUNT,
                counted={"enum": ["calls", "requests"]},
                first=_NUMBER,
                last=_NUMBER,
                repaired={"enum": ["all", "some", "none"]},
                saved=_TEXT,
                fix=_TEXT,
                breaks=_or_null(_object(request=_ref("Row"), sentence=_TEXT)),
                proof=_list(_ref("Row")),
            )
        ),
        sentence=_TEXT,
    ),
    "Migration": _object(
        window_days=_NUMBER,
        requests=_COUNT,
        formats=_TEXTS,
        cells=_list(_object(peer=_TEXT, role=_TEXT, format=_TEXT, count=_COUNT, last=_NUMBER, days=_list(_COUNT))),
        verdicts=_list(
            _object(
                peer=_TEXT,
                role=_TEXT,
                format=_TEXT,
                safe={"enum": [True, False, "soon"]},
                sentence=_TEXT,
                why=_TEXT,
                lost=_TEXTS,
                change=_TEXT,
            )
        ),
        shadow=_list(
            _object(
                service=_TEXT,
                listener=_TEXT,
                upstream=_TEXT,
                as_if=_TEXTS,
                same=_COUNT,
                differ=_COUNT,
                differences=_list(_object(what=_TEXT, words=_TEXT, count=_COUNT, example=_or_null(_ANY))),
                sentence=_TEXT,
            )
        ),
        sentence=_TEXT,
        gap=_or_null(_TEXT),
    ),
    "Settings": _object(sidecars=_list(_ANY), sentence=_TEXT),
    "Explained": _object(
        read=_COUNT,
        error=_or_null(_TEXT),
        says=_list(
            _object({"absent": _TRUTH, "record": _RECORD}, format=_TEXT, headers=_list(_ref("Parts")), verdict=_TEXT)
        ),
        winner=_or_null(_TEXT),
        record=_or_null(_RECORD),
        bare=_or_null(_TEXT),
        session=_or_null(_TEXT),
        groups=_list(_ref("Group")),
        to=_list(
            _object(
                {"egress": {"const": True}},  # the trace may not leave for it
                sidecar=_TEXT,
                name=_TEXT,
                inject=_TEXTS,
                headers=_list(_ref("Parts")),
                lost=_TEXTS,
            )
        ),
        sentence=_TEXT,
    ),
}
