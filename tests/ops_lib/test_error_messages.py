"""What the library's errors say, word for word: they are read where something is wrong, by who has to mend it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider

import ops_lib as ops
from ops_lib.export.sampling import sampler_of
from ops_lib.hosts.names import parse_host
from ops_lib.integrations.allow_list import AllowList
from ops_lib.propagation.session import check_session_id
from ops_lib.testing import capture_spans

LIMIT = "a session id is 1 to 256 visible ASCII characters"
FORMATS = "tracecontext, grpc-trace-bin, b3, b3multi, jaeger, composite"
SAMPLERS = "always_on, always_off, parentbased_always_on, parentbased_always_off"


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    yield
    ops.shutdown()


class Some:
    def method(self) -> None: ...


def enter_twice() -> None:
    span = ops.span("work")
    with span, span:
        pass


MESSAGES: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: ops.spam, AttributeError, "module 'ops_lib' has no attribute 'spam'"),
    (
        lambda: ops.configure(shutdown_timeout_s=-1),
        ops.ConfigurationError,
        "shutdown_timeout_s must be 0 or more seconds, not -1",
    ),
    (
        lambda: ops.configure(tracer_provider=TracerProvider(), sampler=1.0, service_name="a"),
        ops.ConfigurationError,
        "configure takes tracer_provider or service_name, sampler, not both: set them on the provider",
    ),
    (
        lambda: ops.configure(tracer_provider=ops.get_tracer_provider()),
        ops.ConfigurationError,
        "configure cannot take the provider of get_tracer_provider(): it would recurse",
    ),
    (lambda: ops.trace(Some), TypeError, "trace needs a function, not the class Some; trace its methods instead"),
    (lambda: ops.trace(5), TypeError, "trace needs a callable, not int"),
    (
        lambda: ops.trace(property(Some.method)),
        TypeError,
        "trace needs a callable, not property; put @property above @trace",
    ),
    (lambda: ops.wrapped(5), TypeError, "wrapped needs a traced function, not 5"),
    (
        lambda: ops.configure(exporter="zipkin"),
        ops.ConfigurationError,
        "unknown exporter 'zipkin'; known are: otlp, console, none, or a SpanExporter",
    ),
    (lambda: sampler_of(1.5, None), ops.ConfigurationError, "sampler must be a ratio from 0 to 1, not 1.5"),
    (
        lambda: sampler_of("some", None),
        ops.ConfigurationError,
        f"unknown sampler 'some'; known are: {SAMPLERS}, or a ratio as a number",
    ),
    (
        lambda: ops.configure(extract="", exporter="none"),
        ops.UnknownFormatError,
        f"extract: no format named; known are: {FORMATS}",
    ),
    (
        lambda: ops.propagated_context(),
        ValueError,
        "propagated_context needs parent (a Context) or extract_from (headers)",
    ),
    (
        lambda: ops.propagated_context(parent=ops.extract_context({}), extract_from={}),
        ValueError,
        "propagated_context takes either parent or extract_from, not both",
    ),
    (
        lambda: ops.propagated_context(parent={"b3": "0"}),
        TypeError,
        "parent is a Context, as extract_context gives it, not dict; headers are extract_from",
    ),
    (lambda: ops.instrument("cgi"), ValueError, "nothing to instrument under the name 'cgi'; known are: "),
    (lambda: AllowList.parse(["a..b"]), ops.ConfigurationError, "'a..b' is not a host pattern: "),
    (lambda: parse_host("1.2.3"), ValueError, "'1.2.3' is not an IPv4 address; it would be taken for 1.2.0.3"),
    (lambda: parse_host("a:b"), ValueError, "'a:b' is not an IPv6 address"),
    (
        lambda: parse_host("\u2488com"),
        ValueError,
        "'\u2488com' is not a host name (write it in its ASCII form, xn--...)",
    ),
    (lambda: check_session_id(5), ops.InvalidSessionError, f"{LIMIT}; 5 is int, not str"),
    (lambda: check_session_id(""), ops.InvalidSessionError, f"{LIMIT}; this one is empty"),
    (lambda: check_session_id("a b"), ops.InvalidSessionError, f"{LIMIT}; 'a b' has ' ' at position 1"),
    (lambda: check_session_id("a" * 257), ops.InvalidSessionError, f"{LIMIT}; this one has 257: '{'a' * 32}'…"),
    (enter_twice, RuntimeError, "span 'work' was entered before; make a new one with span(...)"),
]


@pytest.mark.parametrize(("fail", "error", "message"), MESSAGES, ids=[message[:40] for *_, message in MESSAGES])
def test_an_error_says_what_is_wrong_and_what_to_do(
    fail: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        fail()
    assert str(caught.value).startswith(message)
    assert message.endswith((": ", "1.2.0.3")) or str(caught.value) == message  # what follows is told elsewhere


def test_without_its_exporter_otlp_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ImportError) as caught:
        ops.configure(exporter="otlp")
    assert str(caught.value) == (
        "OTLP export needs one more package: pip install 'ops-sidecar[otlp]'"
        " (or configure(exporter='console') or exporter='none')"
    )


def test_a_capture_that_has_not_one_such_span_shows_the_tree() -> None:
    with capture_spans() as spans, ops.span("a"), ops.span("b"):
        pass
    with pytest.raises(AssertionError) as caught:
        spans.one("c")
    assert str(caught.value) == f"0 finished spans are named 'c'; the tree is\n{spans.tree()}"
    assert "a\n" in spans.tree()
