"""Every test here starts with nothing configured, and leaves no Context, propagator or log patch behind."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

import ops_lib as ops
from ops_lib.context.current import EMPTY, Attached
from ops_lib.headers import propagators
from ops_lib.spans.configured import RUNTIME, Runtime
from ops_lib.spans.failures import FAILURES

VARIABLES = (
    "MIRASCOPE_PROPAGATOR", "OPS_PROPAGATION_INJECT", "OPS_PROPAGATION_EXTRACT",
    "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER", "OTEL_SERVICE_NAME",
    "OTEL_TRACES_SAMPLER", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SDK_DISABLED",
)  # fmt: skip


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    before, propagator = RUNTIME.snapshot(), propagators.chosen_propagator()
    RUNTIME.restore(Runtime().snapshot())
    ops.reset_propagator()
    FAILURES.forget()
    with Attached(lambda: EMPTY):
        yield
    ops.shutdown()
    ops.uncorrelate_logs()
    RUNTIME.restore(before)
    ops.set_propagator(propagator)


@pytest.fixture
def no_detach_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails the test when OpenTelemetry logs that a Context could not be detached, or anything else went wrong."""
    yield
    records = [record for when in ("setup", "call") for record in caplog.get_records(when)]
    assert [record.getMessage() for record in records if record.levelno >= logging.WARNING] == []
