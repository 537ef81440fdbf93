"""Requests as OpenTelemetry's own classes read them, and answers as they write them."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from proxy.telemetry.otlp import protobuf, request
from proxy.telemetry.otlp.protobuf import integer, message
from proxy.telemetry.otlp.request import PartialSuccess


def test_a_batch_is_one_resource_one_scope_and_its_spans() -> None:
    spans = [protobuf.message(2, protobuf.message(5, b"%d" % n)) for n in range(100)]
    pieces = request.export_request(
        request.resource({"service.name": "shop", "host.name": "ä"}), request.scope("ops-sidecar", "1.2"), spans
    )
    (of_resource,) = ExportTraceServiceRequest.FromString(b"".join(pieces)).resource_spans
    assert {each.key: each.value.string_value for each in of_resource.resource.attributes} == {
        "service.name": "shop",
        "host.name": "ä",
    }
    (of_scope,) = of_resource.scope_spans
    assert (of_scope.scope.name, of_scope.scope.version) == ("ops-sidecar", "1.2")
    assert [each.name for each in of_scope.spans] == [str(n) for n in range(100)]


def test_an_answer_that_took_all() -> None:
    assert request.partial_success(b"") is None
    assert request.partial_success(ExportTraceServiceResponse().SerializeToString()) is None


def test_an_answer_that_took_some() -> None:
    partial = ExportTracePartialSuccess(rejected_spans=7, error_message="too\nold" + "!" * 1000)
    answer = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    found = request.partial_success(answer)
    assert found is not None
    assert found.rejected == 7
    assert found.message.startswith("too old!")
    assert len(found.message) == 300


def test_a_warning_without_a_loss_is_told_too() -> None:
    answer = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(error_message="slow down"))
    assert request.partial_success(answer.SerializeToString()) == PartialSuccess(0, "slow down")


@pytest.mark.parametrize("answer", [b"<html>", b"\x0a", b"\x00", b"\xff" * 20])
def test_garbage_is_a_value_error(answer: bytes) -> None:
    with pytest.raises(ValueError):
        request.partial_success(answer)


def test_a_partial_success_of_other_types_says_nothing() -> None:
    """A number where its message belongs, and a text where its number does."""
    assert request.partial_success(message(1, message(1, b"x") + integer(2, 5))) is None
    assert request.partial_success(integer(1, 7) + message(2, integer(1, 7))) is None
    strange = message(1, message(1, b"x") + integer(3, 9) + integer(1, 7))
    assert request.partial_success(strange) == PartialSuccess(7, "")
