"""Our formats by OpenTelemetry's propagator API, its entry points and `opentelemetry-instrument`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from lab.propagated import SPAN_ID, TRACE_ID, TRACEPARENT, ids
from opentelemetry import baggage
from opentelemetry import trace as otel_trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import DefaultSetter, Getter

import ops_lib as ops
from ops_lib.headers.textmap import OpsPropagator

NAMES = ("ops", "ops_tracecontext", "ops_b3", "ops_b3multi", "ops_jaeger", "ops_composite")


class AsgiGetter(Getter[list[tuple[bytes, bytes]]]):
    """As OpenTelemetry's ASGI instrumentation has it; `knows_keys` False for those that cannot list them."""

    def __init__(self, knows_keys: bool = True) -> None:
        self.knows_keys = knows_keys

    def get(self, carrier: list[tuple[bytes, bytes]], key: str) -> list[str] | None:
        return [value.decode() for name, value in carrier if name.decode().lower() == key.lower()] or None

    def keys(self, carrier: list[tuple[bytes, bytes]]) -> list[str]:
        return [name.decode() for name, _ in carrier] if self.knows_keys else []


@pytest.mark.parametrize("knows_keys", [True, False])
def test_extract_through_a_getter(knows_keys: bool) -> None:
    carrier = [(b"X-B3-TraceId", TRACE_ID.encode()), (b"x-b3-spanid", SPAN_ID.encode()), (b"x-b3-sampled", b"1")]
    carrier.append((b"X-Mirascope-Session-Id", b"s"))
    context = OpsPropagator().extract(carrier, getter=AsgiGetter(knows_keys))
    assert ids(context) == (TRACE_ID, SPAN_ID)
    with ops.propagated_context(parent=context):
        assert ops.current_session() == ops.SessionContext("s")


def test_two_traceparents_through_a_getter_are_malformed() -> None:
    carrier = [(b"traceparent", TRACEPARENT.encode())] * 2
    assert OpsPropagator().extract(carrier, getter=AsgiGetter()) == {}


def test_extract_from_a_dict_in_any_case_keeps_the_context_it_is_given() -> None:
    context = OpsPropagator().extract({"TraceParent": TRACEPARENT}, Context({"a": 1}))
    assert context["a"] == 1
    assert ids(context) == (TRACE_ID, SPAN_ID)


def test_inject_through_a_setter() -> None:
    class Upper(DefaultSetter):
        def set(self, carrier: Any, key: str, value: Any) -> None:
            carrier[key.upper()] = value

    carrier: dict[str, str] = {}
    with ops.session(id="s"), ops.span("x") as span:
        OpsPropagator().inject(carrier, setter=Upper())
    assert carrier["TRACEPARENT"] == f"00-{span.trace_id}-{span.span_id}-03"
    assert carrier["X-MIRASCOPE-SESSION-ID"] == "s"


def test_beside_opentelemetrys_baggage() -> None:
    both = CompositePropagator([OpsPropagator(), W3CBaggagePropagator()])
    context = both.extract({"traceparent": TRACEPARENT, "baggage": "a=1,b=x%20y"}, Context())
    assert dict(baggage.get_all(context)) == {"a": "1", "b": "x y"}
    carrier: dict[str, str] = {}
    both.inject(carrier, context)
    assert carrier["traceparent"] == TRACEPARENT
    again = both.extract(carrier, Context())
    spans = [otel_trace.get_current_span(known).get_span_context() for known in (again, context)]
    assert spans[0] == spans[1]
    assert baggage.get_all(again) == baggage.get_all(context)


def test_follows_the_propagator_in_force() -> None:
    ops.set_propagator(ops.ContextPropagator(inject="b3"))
    carrier: dict[str, str] = {}
    with ops.span("x") as span:
        OpsPropagator().inject(carrier)
    assert carrier == {"b3": f"{span.trace_id}-{span.span_id}-1"}
    assert OpsPropagator().fields == {"b3", "baggage", "X-Mirascope-Session-Id"}


@pytest.mark.parametrize("name", NAMES)
def test_entry_points(name: str) -> None:
    (found,) = entry_points(group="opentelemetry_propagator", name=name)
    propagator = found.load()()
    assert isinstance(propagator, OpsPropagator)
    carrier: dict[str, str] = {}
    with ops.span("x") as span:
        propagator.inject(carrier)
    assert {key.lower() for key in carrier} <= {key.lower() for key in propagator.fields}
    assert ids(propagator.extract(carrier)) == (span.trace_id, span.span_id)


SCRIPT = """
import json
from opentelemetry import propagate, trace
context = propagate.extract({"X-B3-TraceId": "%s", "x-b3-spanid": "%s", "x-b3-sampled": "1", "baggage": "a=1"})
carrier = {}
propagate.inject(carrier, context)
print(json.dumps(carrier))
""" % (TRACE_ID, SPAN_ID)  # noqa: UP031  # a script with braces of its own


def run(*command: str, **environ: str) -> str:
    names = {"MIRASCOPE_PROPAGATOR", "OTEL_PROPAGATORS", "OTEL_TRACES_EXPORTER"}
    env = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(command, env=env | environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_named_in_otel_propagators() -> None:
    carrier = json.loads(run(sys.executable, "-c", SCRIPT, OTEL_PROPAGATORS="ops,baggage"))
    assert carrier == {"traceparent": TRACEPARENT, "baggage": "a=1"}
    carrier = json.loads(run(sys.executable, "-c", SCRIPT, OTEL_PROPAGATORS="ops", MIRASCOPE_PROPAGATOR="b3"))
    assert carrier["b3"] == f"{TRACE_ID}-{SPAN_ID}-1"


def test_a_wrong_environment_shows_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where OpenTelemetry loads the entry point, and not at the first request, in whoever injects."""
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "zipkin")
    with pytest.raises(ValueError, match=r"MIRASCOPE_PROPAGATOR: .*zipkin.* known are: tracecontext"):
        OpsPropagator()
    ops.set_propagator(ops.ContextPropagator(inject="b3"))  # the environment is not asked
    assert OpsPropagator().fields == {"b3", "baggage", "X-Mirascope-Session-Id"}


def test_baggage_keeps_its_properties() -> None:
    """Where ours is written last; OpenTelemetry's own makes them a part of the value."""
    for others in ([], [W3CBaggagePropagator()]):
        both, carrier = CompositePropagator([*others, OpsPropagator()]), dict[str, str]()
        both.inject(carrier, both.extract({"baggage": "a=b%20c;p=1,k=v"}))
        assert carrier == {"baggage": "a=b%20c;p=1,k=v"}


@pytest.mark.slow
def test_with_opentelemetry_instrument(tmp_path: Path) -> None:
    """The stock launcher: its provider is the application's, so it makes our spans; our propagator is in force."""
    script = tmp_path / "app.py"
    script.write_text(
        "import json, ops_lib as ops\n"
        "from opentelemetry import propagate, trace\n"
        "with ops.session(id='s'), ops.span('x') as span:\n"
        "    carrier = {}\n"
        "    propagate.inject(carrier)\n"
        "    print(json.dumps([span.is_noop, trace.get_current_span().is_recording(), carrier, span.trace_id]))\n"
    )
    command = Path(sys.executable).with_name("opentelemetry-instrument")
    if not command.exists():
        pytest.skip("opentelemetry-instrument is not installed")
    environ = {"OTEL_PROPAGATORS": "ops,baggage", "OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"}
    out = run(str(command), sys.executable, str(script), **environ)
    is_noop, is_recording, carrier, trace_id = json.loads(out)
    assert not is_noop
    assert is_recording
    assert carrier["X-Mirascope-Session-Id"] == "s"
    assert trace_id in carrier["traceparent"]
