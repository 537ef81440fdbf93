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


def test_a_method_that_is_made_up_is_told_up_to_64_characters(spans: Any) -> None:
    nothing = [None] * (len(Request._fields) - 4)
    for method in ("X" * 64, "X" * 65, "GET"):
        request = Request(method, "/", "http", "shop", *nothing)
        Incoming({}, lambda request=request: request).end()  # type: ignore[misc]
    told = [
        (span.attributes["http.request.method"], span.attributes.get("http.request.method_original"))
        for span in spans.server
    ]
    assert told == [("_OTHER", "X" * 64), ("_OTHER", "X" * 64), ("GET", None)]
