"""How headers are spelt in what they are written to: docs/library.md "What it writes"."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from multidict import CIMultiDict
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.b3 import B3MultiFormat
from opentelemetry.trace import get_current_span

import ops_lib as ops
from ops_lib.headers.textmap import OpsPropagator

IDS = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1"
CAME = {"b3": f"{IDS[0]}-{IDS[1]}-1", "X-Mirascope-Session-Id": "s-1", "baggage": "k=v"}
METADATA_KEY = re.compile(r"[0-9a-z_.-]+")  # gRPC over HTTP/2, "Custom-Metadata"


@pytest.fixture(autouse=True, params=["composite", "b3multi", "jaeger"])
def in_a_session(request: pytest.FixtureRequest) -> Iterator[str]:
    ops.set_propagator(ops.ContextPropagator(inject=request.param))
    with ops.propagated_context(extract_from=CAME):
        yield request.param


@pytest.mark.parametrize("before", [[], [("x-token", "t")], [("key-bin", b"\x00"), ("x-token", "t")]])
@pytest.mark.parametrize("in_a_span", [False, True])
def test_grpc_metadata(before: list[tuple[str, Any]], in_a_span: bool) -> None:
    """Names in lower case, which is all that gRPC takes; text stays text beside binary `-bin` entries."""
    metadata = list(before)
    if in_a_span:
        with ops.span("call"):
            ops.inject_context(metadata)
    else:
        ops.inject_context(metadata)
    assert metadata[: len(before)] == before
    written = metadata[len(before) :]
    assert ("x-mirascope-session-id", "s-1") in written
    for key, value in written:
        assert METADATA_KEY.fullmatch(key)
        assert type(value) is str
    assert ops.extract_session_id(metadata) == "s-1"


@pytest.mark.parametrize("before", [[("content-type", b"json")], [("deleted", None), ("content-type", b"json")]])
def test_kafka_headers(before: list[tuple[str, Any]]) -> None:
    """Names are text there, and values bytes, or nothing."""
    headers = list(before)
    ops.inject_context(headers)
    assert {(type(name), type(value)) for name, value in headers[len(before) :]} == {(str, bytes)}
    assert ("x-mirascope-session-id", b"s-1") in headers
    with ops.propagated_context(parent=ops.extract_context(headers)):
        assert ops.current_span().trace_id == IDS[0]


def test_values_of_both_kinds() -> None:
    """As requests takes them: what is written is text, wherever there is text already."""
    headers: list[tuple[str, Any]] = [("Authorization", b"Basic eDp5"), ("Accept", "*/*")]
    ops.inject_context(headers)
    assert {type(value) for _, value in headers[2:]} == {str}


def test_asgi_headers() -> None:
    headers: list[tuple[Any, Any]] = [(b"host", b"shop")]
    ops.inject_context(headers)
    assert {(type(name), type(value)) for name, value in headers} == {(bytes, bytes)}
    assert all(name == name.lower() for name, _ in headers)


@pytest.mark.parametrize("before", [{}, {"X-B3-TraceId": "stale"}, {"accept": "*/*"}])
def test_a_mapping_has_b3_in_lower_case_and_the_session_as_documented(before: dict[str, str]) -> None:
    headers = dict(before)
    with ops.span("call"):
        ops.inject_context(headers)
    assert headers.pop(ops.SESSION_HEADER_NAME) == "s-1"
    assert all(name == name.lower() for name in headers)


def test_a_mapping_with_values_of_bytes_stays_one() -> None:
    headers: dict[Any, Any] = {"content-type": b"json"}
    ops.inject_context(headers)
    assert {(type(name), type(value)) for name, value in headers.items()} == {(str, bytes)}


@pytest.mark.parametrize("in_a_session", ["b3multi"], indirect=True)
def test_opentelemetry_finds_b3_in_a_plain_dict(in_a_session: str) -> None:
    headers: dict[str, str] = {}
    ops.inject_context(headers)
    span = get_current_span(B3MultiFormat().extract(headers))
    assert span.get_span_context().trace_id == int(IDS[0], 16)


def test_a_multidict_of_any_case_is_one_story() -> None:
    headers = CIMultiDict({"X-B3-TraceId": "stale", "Host": "shop"})
    ops.inject_context(headers)
    with ops.propagated_context(parent=ops.extract_context(headers)):
        assert ops.current_span().trace_id == IDS[0]


class AppendingSetter:
    """As instrumentation of gRPC and of message clients has them."""

    def set(self, carrier: list[tuple[str, str]], key: str, value: str) -> None:
        carrier.append((key, value))


def test_the_propagator_for_opentelemetry_spells_for_what_it_writes_to() -> None:
    metadata: list[tuple[str, str]] = []
    OpsPropagator().inject(metadata, setter=AppendingSetter())  # type: ignore[arg-type]  # has what a Setter has
    assert all(METADATA_KEY.fullmatch(key) for key, _ in metadata)
    headers: dict[str, str] = {}
    OpsPropagator().inject(headers)
    assert headers.pop("X-Mirascope-Session-Id") == "s-1"
    assert all(name == name.lower() for name in headers)
    assert {name.lower() for name in OpsPropagator().fields} >= set(headers) - {"uberctx-k"}


class TestEnvironments:
    """OpenTelemetry specification, "Environment Variables as Context Propagation Carriers"."""

    NAME = re.compile(r"[A-Z_][A-Z0-9_]*")

    def test_there_and_back(self) -> None:
        environ = {"PATH": "/bin", "TRACEPARENT": "stale", "X_B3_TRACEID": "stale", "traceparent": "a variable of mine"}
        ops.inject_context(ops.EnvironmentCarrier(environ))
        assert environ.pop("traceparent") == "a variable of mine"
        assert all(self.NAME.fullmatch(name) for name in environ)
        assert "stale" not in environ.values()
        assert environ["X_MIRASCOPE_SESSION_ID"] == "s-1"
        context = ops.extract_context(ops.EnvironmentCarrier(environ))
        with ops.propagated_context(parent=context):
            assert ops.current_span().trace_id == IDS[0]
            session = ops.current_session()
            assert session is not None
            assert session.id == "s-1"
            headers: dict[str, str] = {}
            ops.set_propagator(ops.ContextPropagator(inject="tracecontext"))
            ops.inject_context(headers)
            assert headers["baggage"] == "k=v"

    @pytest.mark.slow
    def test_the_environment_of_this_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("TRACEPARENT", "TRACESTATE", "BAGGAGE", "B3", "UBER_TRACE_ID", "X_MIRASCOPE_SESSION_ID"):
            monkeypatch.setenv(name, "stale")  # so that they are put back
        monkeypatch.setenv("X_B3_TRACEID", IDS[0])
        monkeypatch.setenv("X_B3_SPANID", IDS[1])
        monkeypatch.setenv("UBERCTX_K", "")
        monkeypatch.setenv("X_B3_SAMPLED", "1")
        monkeypatch.setenv("X_B3_PARENTSPANID", "")
        with ops.propagated_context(parent=ops.extract_context(os.environ)):
            assert ops.current_span().trace_id == IDS[0]
        ops.inject_context(os.environ)
        assert os.environ["X_MIRASCOPE_SESSION_ID"] == "s-1"
        script = (
            "import os, ops_lib as ops; c = ops.extract_context(os.environ); print(ops.extract_session_id(os.environ))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == "s-1\n"

    def test_a_mapping_of_headers_takes_none_of_its_names(self) -> None:
        """Where an underscore stands for a hyphen, a client could write over what a proxy has set."""
        assert ops.extract_session_id({"X_MIRASCOPE_SESSION_ID": "s-2"}) is None

    def test_opentelemetrys_own_getter_and_setter(self) -> None:
        carriers = pytest.importorskip("opentelemetry.propagators._envcarrier")
        environ: dict[str, str] = {}
        OpsPropagator().inject(environ, setter=carriers.EnvironmentSetter())
        assert all(self.NAME.fullmatch(name) for name in environ)
        context = OpsPropagator().extract(environ, getter=carriers.EnvironmentGetter())
        assert get_current_span(context).get_span_context().trace_id == int(IDS[0], 16)
        assert ops.extract_session_id(ops.EnvironmentCarrier(environ)) == "s-1"

    def test_it_is_a_mapping(self) -> None:
        environ = {"TRACEPARENT": "a", "HOME": "b", "UBERCTX_USER": "c"}
        carrier = ops.EnvironmentCarrier(environ)
        assert dict(carrier) == {"traceparent": "a", "uberctx-user": "c"}
        assert len(carrier) == 2
        carrier["X-B3-TraceId"] = "d"
        carrier["1-digit"] = "e"
        assert environ["X_B3_TRACEID"] == carrier["x-b3-traceid"] == "d"
        assert environ["_1_DIGIT"] == "e"
        del carrier["traceparent"]
        assert "TRACEPARENT" not in environ
        with pytest.raises(KeyError):
            carrier["traceparent"]


def test_baggage_of_opentelemetry_reads_what_is_written() -> None:
    headers: dict[str, str] = {}
    ops.set_propagator(ops.ContextPropagator(inject="tracecontext"))
    ops.inject_context(headers)
    assert dict(W3CBaggagePropagator().extract(headers)) != {}
