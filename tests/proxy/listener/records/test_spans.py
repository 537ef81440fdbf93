"""What the span of an exchange says beyond HTTP: read from what is exported."""

from __future__ import annotations

from typing import Any, cast

import pytest
from lab.collectors import attributes
from lab.pairs import Plane
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from ops_lib.propagation import FORMATS, Extraction, Format, Loss, Sampling, TraceContext
from proxy.http1.message.request import Request
from proxy.listener.accounting import Accounted
from proxy.listener.records.spans import Spans
from proxy.participation.own_span import OwnSpan
from proxy.plan import PropagationPlan
from proxy.telemetry.otlp.buffer import Outlet, SpanBuffer
from proxy.translate import Translator
from proxy.translated import FullTranslation, Translation

T, S, P = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
CONTEXT = TraceContext(T, S, Sampling.ACCEPT)
OWN = OwnSpan(T.encode(), S.encode(), P.encode(), 1, b"")
OTHER = TraceContext("c" * 32, "d" * 16, Sampling.ACCEPT)


def full(**more: Any) -> FullTranslation:
    return FullTranslation([], Extraction(CONTEXT), (Format.B3,), (), CONTEXT, span=OWN)._replace(**more)


def exported(translation: Translation | None, plane: Plane, **more: Any) -> list[Span]:
    """The spans of one exchange."""
    rules = plane.listener.rules
    assert rules.only is not None
    accounted = Accounted()
    accounted.terms, accounted.translation = rules.only, translation
    accounted.request = Request(b"GET", b"/a", 1, [])
    for name, value in more.items():
        setattr(accounted, name, value)
    buffer = SpanBuffer(limit_bytes=1 << 20, batch_spans=512)
    Spans(Outlet(buffer)).record(accounted, (b"10.0.0.1", 5), 200, 0.25, None)
    buffer.flush()
    batch = buffer.take(0.0)
    return list(ScopeSpans.FromString(b"".join(batch.pieces)).spans) if batch is not None else []


def links(span: Span) -> list[tuple[str, str, str]]:
    return [(one.trace_id.hex(), one.span_id.hex(), *attributes(one).values()) for one in span.links]


@pytest.mark.parametrize(
    ("changes", "more", "told"),
    [
        ({}, {}, {}),
        ({}, {"resends": 2}, {"http.request.resend_count": 2}),
        ({"losses": ((Format.B3, Loss.DEBUG),)}, {}, {"ops.lost": ["b3:debug"]}),
        ({"linked": "single"}, {}, {"ops.link.method": "single", "ops.link.confidence": "medium"}),
        ({"carried": ("session", "width")}, {}, {"ops.carried_over": ["session", "width"]}),
        (
            {"extraction": Extraction(CONTEXT, malformed=((Format.B3, "shape"),))},
            {},
            {"ops.malformed": ["b3:shape"]},
        ),
        ({"extraction": None}, {}, {}),
    ],
)  # fmt: skip
async def test_what_few_spans_say(changes: dict[str, Any], more: dict[str, Any], told: dict[str, Any]) -> None:
    plane = Plane()
    (usual,) = exported(full(), plane)
    (span,) = exported(full(**changes), plane, **more)
    assert attributes(span) == {**attributes(usual), **told}
    assert span.end_time_unix_nano - span.start_time_unix_nano == 250_000_000
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == (T, S, P)
    assert links(span) == []


async def test_its_links() -> None:
    """To where it may belong, to the trace that it left, and to 16 that lost a conflict at most."""
    loser = (Format.B3, OTHER)
    told = "c" * 32, "d" * 16
    (span,) = exported(full(linked="none", candidates=(OTHER, OTHER)), Plane())
    assert links(span) == [(*told, "candidate")] * 2
    (span,) = exported(full(link=OTHER), Plane())
    assert links(span) == [(*told, "restart")]
    (span,) = exported(full(extraction=Extraction(CONTEXT, conflicts=(loser,) * 17)), Plane())
    assert links(span) == [(*told, "conflict")] * 16


async def test_the_state_of_the_trace() -> None:
    (span,) = exported(full(span=OwnSpan(T.encode(), S.encode(), P.encode(), 1, b"a=1")), Plane())
    assert span.trace_state == "a=1"


async def test_without_a_span_of_ours_none_is_exported() -> None:
    for nothing in (None, full(span=None)):
        assert exported(nothing, Plane()) == []


async def test_plain_headers_of_a_caller() -> None:
    plan = PropagationPlan(extract=FORMATS, inject=(Format.B3,), mode="participate")
    made = Translator(plan).translate([(b"traceparent", f"00-{T}-{P}-01".encode())])
    (span,) = exported(made, Plane(), resends=1)
    assert (span.trace_id.hex(), span.parent_span_id.hex(), attributes(span)["http.request.resend_count"]) == (T, P, 1)


async def test_a_bug_of_ours_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    plane = Plane()
    for _ in range(2):
        assert exported(cast(Any, full(losses=(1,))), plane) == []
    assert plane.metrics.exchange("inbound", "app").translation.errors == {"TypeError": 2}
    assert [one.getMessage() for one in caplog.records] == ["a span was lost, but not its exchange"]


@pytest.mark.parametrize(
    ("direction", "version", "scheme", "told"),
    [
        ("inbound", b"1.1", "http", ("shop", "http", "1.1")),
        ("inbound", b"2.0", "https", ("shop", "https", "2")),
        ("outbound", b"1.1", "http", ("127.0.0.1", None, "1.1")),  # its url.full has the scheme
    ],
)
async def test_where_it_went_and_how(
    direction: str, version: bytes, scheme: str, told: tuple[str, str | None, str]
) -> None:
    """A caller's words for a server's span, the target for a client's."""
    request = Request(b"GET", b"/a", 1, [])
    request.host, request.scheme = b"shop", scheme
    request.version = version
    (span,) = exported(full(), Plane(rest={"direction": direction}), request=request)
    said = attributes(span)
    names = ("server.address", "url.scheme", "network.protocol.version")
    assert tuple(said.get(name) for name in names) == told
