"""/api/v1/openapi.json: what each path takes and answers (OpenAPI 3.1). The tests hold real answers against it."""

from __future__ import annotations

from typing import Any, Final

from proxy.console.server.schemas import SCHEMAS
from proxy.own_version import own_version

Schema = dict[str, Any]

_Q: Final = {"name": "q", "in": "query", "schema": {"type": "string"}, "description": "The filter language."}
_LIST: Final = [
    _Q,
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}},
    {"name": "before", "in": "query", "schema": {"type": "string"}, "description": "`next` of the page before."},
]
_ID: Final = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
_OTLP: Final = {"name": "format", "in": "query", "schema": {"enum": ["otlp"]}, "description": "OTLP/JSON, to download."}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _problem() -> Schema:
    return {"application/problem+json": {"schema": _ref("Problem")}}


def _operation(summary: str, answer: Schema, parameters: list[Schema] | None = None, **more: Any) -> Schema:
    """One method of a path. `answer`: the content of a 200."""
    made: Schema = {
        "summary": summary,
        "responses": {
            "200": {"description": "The answer.", "content": answer},
            "default": {
                "description": "A problem.",
                "content": {"application/problem+json": {"schema": _ref("Problem")}},
            },
        },
        **more,
    }
    if parameters:
        made["parameters"] = parameters
    return made


def _page(item: str) -> Schema:
    """A list's answer."""
    return {"allOf": [_ref("Page"), {"properties": {"items": {"items": _ref(item)}}}]}


def _body(*kinds: str) -> Schema:
    return {"required": True, "content": {kind: {"schema": {}} for kind in kinds}}


PATHS: Final[dict[str, Schema]] = {
    "/self": {"get": _operation("Who this is, and what to set first.", _json(_ref("Self")))},
    "/health": {"get": _operation("How the console and the sidecars are.", _json(_ref("Health")))},
    "/traces": {
        "get": _operation("Traces, newest first.", _json(_page("TraceRow")), _LIST),
        "post": _operation(
            "Take traces that somebody saved, as OTLP.",
            _json(_ref("Uploaded")),
            requestBody=_body("application/json", "application/x-protobuf"),
        ),
    },
    "/traces/{id}": {
        "get": _operation("One trace with its spans, or as OTLP/JSON.", _json(_ref("Trace")), [*_ID, _OTLP])
    },
    "/requests": {"get": _operation("Requests as sidecars saw them.", _json(_page("Row")), _LIST)},
    "/requests/{id}": {"get": _operation("One request and its headers.", _json(_ref("Request")), _ID)},
    "/sessions": {"get": _operation("Sessions, by their last trace.", _json(_page("SessionRow")), _LIST)},
    "/sessions/{id}": {"get": _operation("One session with its traces.", _json(_ref("SessionTraces")), _ID)},
    "/doctor": {"get": _operation("Who breaks traces.", _json(_ref("Doctor")))},
    "/migration": {"get": _operation("Who needs which format.", _json(_ref("Migration")))},
    "/settings": {"get": _operation("The settings of each sidecar.", _json(_ref("Settings")))},
    "/explain": {
        "post": _operation(
            "What headers say, and what would go out.",
            _json(_ref("Explained")),
            requestBody=_body("application/json", "text/plain"),
        )
    },
    "/stream": {
        "get": _operation(
            "Requests as they come: server-sent events `hello`, `row` (a Row), `lost` ({missed}).",
            {"text/event-stream": {"schema": {"type": "string"}}},
            [_Q, {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}],
        )
    },
    "/login": {
        "post": {
            "summary": "Remember the token in a cookie.",
            "requestBody": _body("application/json"),
            "responses": {"204": {"description": "Remembered."}, "401": {"description": "Not the token."}},
        }
    },
}


def document() -> Schema:
    """The whole of it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ops-sidecar console",
            "version": own_version(),
            "description": "Times are Unix milliseconds, durations milliseconds, ids lower-case hex digits.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{}, {"token": []}],
        "paths": PATHS,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
