"""One request, as every framework's integration tells it."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import StatusCode

from ops_lib.integrations.incoming import Incoming, Request


def test_an_error_that_is_told_twice_is_recorded_once(spans: Any) -> None:
    """By the framework's handler and by the server around it."""
    incoming = Incoming({}, lambda: Request("GET", "/", "http", "shop", *[None] * (len(Request._fields) - 4)))
    error, other = LookupError("x"), LookupError("y")
    for one in (error, error, other):
        incoming.fail(one)
    incoming.end()
    incoming.end()
    (span,) = spans.server
    assert [event.attributes["exception.message"] for event in span.events] == ["x", "y"]
    assert span.attributes["http.response.status_code"] == 500
    assert span.status.status_code is StatusCode.ERROR
