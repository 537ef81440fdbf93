"""One request, as every framework's integration tells it."""

from __future__ import annotations

from typing import Any

import pytest
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


def described(spans: Any, **given: Any) -> Any:
    """The span of a request that is described so."""
    nothing = dict.fromkeys(Request._fields[4:])
    request = Request(**{"method": "GET", "path": "/", "scheme": "http", "host": None, **nothing, **given})
    Incoming({}, lambda: request).end()
    return spans.server[-1]


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("shop", "shop", None), ("shop:80", "shop", 80), ("shop:0", "shop", 0), ("shop:65535", "shop", 65535),
        ("shop:65536", "shop", None), ("shop:", "shop:", None), ("shop:x", "shop:x", None),
        ("shop:\u0663", "shop:\u0663", None),
        ("[::1]:80", "::1", 80), ("[::1]", "::1", None), ("::1", "::1", None), ("10.0.0.9:8080", "10.0.0.9", 8080),
        ("", None, None), (None, None, None),
    ],
)  # fmt: skip
def test_host_and_port_of_the_host_field(host: str | None, address: str | None, port: int | None, spans: Any) -> None:
    """RFC 9110 section 7.2; what is not a port is not told as one."""
    told = described(spans, host=host).attributes
    assert (told.get("server.address"), told.get("server.port")) == (address, port)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"])
def test_each_known_method_names_its_span(method: str, spans: Any) -> None:
    span = described(spans, method=method)
    assert span.name == span.attributes["http.request.method"] == method
    assert described(spans, method=method.lower()).name == "HTTP"


@pytest.mark.parametrize(
    ("statuses", "is_error"), [([200], False), ([404], False), ([499], False), ([500], True), ([599], True)]
)
def test_each_status(statuses: list[int], is_error: bool, spans: Any) -> None:
    incoming = Incoming({}, lambda: Request("GET", "/", "http", "shop", *[None] * (len(Request._fields) - 4)))
    for status in statuses:
        incoming.status(status)
    incoming.route = "/books/{genre}"
    incoming.end()
    (span,) = spans.server
    assert span.name == "GET /books/{genre}"
    assert span.attributes["http.response.status_code"] == statuses[-1]
    assert span.attributes.get("error.type") == (str(statuses[-1]) if is_error else None)
    assert span.status.status_code is (StatusCode.ERROR if is_error else StatusCode.UNSET)
    assert incoming.has_failed is is_error


def test_a_server_that_describes_nothing_is_told_of(spans: Any, caplog: pytest.LogCaptureFixture) -> None:
    incoming = Incoming({}, lambda: 1 / 0)  # type: ignore[arg-type, return-value]  # this is the test
    incoming.status(200)
    incoming.end()
    assert spans.server == []
    assert [record.getMessage() for record in caplog.records] == ["tracing of a request failed; the request goes on"]
