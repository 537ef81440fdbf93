"""What the log says of each request at debug: what was read, who won, what was written, and why."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from ops_lib.propagation import FORMATS, Extraction, Format, Sampling, TraceContext, parse_formats
from ops_lib.propagation.precedence import Said
from proxy.http1.message.request import Request
from proxy.listener.accounting import Accounted
from proxy.listener.records.explanation import explanation, refused
from proxy.plan import PropagationPlan
from proxy.semantics.faults import Fault, Refusal
from proxy.translate import Translator
from proxy.translated import FullTranslation, Translation

TRACE, SPAN = "a" * 32, "b" * 16
TRACEPARENT = (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())


def explained(
    *headers: tuple[bytes, bytes], inject: str = "b3multi", refusal: Refusal | None = None
) -> dict[str, object]:
    """Of a request with `headers`, for the app."""
    propagation = PropagationPlan(extract=FORMATS, inject=parse_formats(inject))
    return explained_as(Translator(propagation).translate(list(headers)), refusal)


def explained_as(translation: Translation, refusal: Refusal | None = None) -> dict[str, object]:
    accounted = SimpleNamespace(
        terms=SimpleNamespace(listener="inbound", upstream="app"),
        request=Request(b"GET", b"/a?token=hunter2", 1, []),
        method=b"GET",
        translation=translation,
    )
    return explanation(cast(Accounted, accounted), 200, refusal)


def test_a_plain_request() -> None:
    assert explained(TRACEPARENT) == {
        "listener": "inbound",
        "upstream": "app",
        "method": "GET",
        "path": "/a",
        "status": 200,
        "read": "tracecontext:wins",
        "trace_id": TRACE,
        "span_id": SPAN,
        "sampling": "accept",
        "written": "b3multi",
        "why": "tracecontext is the first that counts, in the order of propagation.extract; "
        "propagation.inject for app is b3multi",
    }


def test_what_became_of_each_format_is_told() -> None:
    told = explained(TRACEPARENT, (b"b3", f"{'c' * 32}-{SPAN}-1".encode()), (b"uber-trace-id", b"x"))
    assert told["read"] == "tracecontext:wins b3:conflict jaeger:malformed(shape)"
    told = explained(TRACEPARENT, (b"b3", f"{TRACE}-{SPAN}-1".encode()), (b"x-mirascope-session-id", b"\x01"))
    assert told["read"] == "tracecontext:wins b3:same-trace session:malformed(characters)"
    assert "session" not in told
    assert explained((b"b3", b"0"), TRACEPARENT)["read"] == "tracecontext:wins b3:bare-decision"


def test_headers_of_other_families_are_told_one_by_one() -> None:
    told = explained(TRACEPARENT, (b"x-datadog-trace-id", b"5"), (b"sentry-trace", b"1"))
    assert sorted(str(told["others"]).split(",")) == ["datadog:passed", "sentry:passed"]


def test_nothing_came_and_nothing_went() -> None:
    told = explained()
    assert (told["read"], told["written"], told["why"]) == ("nothing", "nothing", "no trace header came")


def test_a_session_is_told_without_its_value() -> None:
    assert explained(TRACEPARENT, (b"x-mirascope-session-id", b"s-1"))["session"] == "carried"


def test_what_cannot_be_said_is_told_as_lost() -> None:
    assert explained((b"b3", f"{TRACE}-{SPAN}-d-{SPAN}".encode()), inject="jaeger")["lost"] == "jaeger:parent"


def test_why_it_failed_is_told() -> None:
    told = explained(TRACEPARENT, refusal=Refusal(Fault.CONNECT_TIMEOUT, "no answer from 10.0.0.1"))
    assert (told["error"], told["detail"]) == ("connect-timeout", "no answer from 10.0.0.1")


def test_a_request_without_a_route() -> None:
    refusal = Refusal(Fault.BAD_HOST, "x" * 300)
    assert refused("inbound", None, refusal) == {
        "listener": "inbound",
        "status": 400,
        "error": "bad-host",
        "detail": "x" * 200,
    }
    told = refused("inbound", Request(b"GET", b"/a?token=hunter2", 1, []), refusal)
    assert (told["method"], told["path"]) == ("GET", "/a")


def test_what_was_kept_back_or_not_believed_is_told_joined_by_commas() -> None:
    nothing = FullTranslation([], None, (), (), None)
    told = explained_as(nothing._replace(refused=("session", "baggage"), withheld=("context", "session")))
    assert (told["refused"], told["withheld"]) == ("session,baggage", "context,session")
    told = explained_as(nothing)
    assert "refused" not in told
    assert "withheld" not in told


def test_a_context_that_counts_for_nothing_is_aside() -> None:
    other = TraceContext("c" * 32, SPAN, Sampling.ACCEPT)
    says = (Said(Format.B3, other, None), Said(Format.JAEGER, None, None))
    told = explained_as(FullTranslation([], Extraction(says=says), (), (), None))
    assert told["read"] == "b3:aside jaeger:says-nothing"
