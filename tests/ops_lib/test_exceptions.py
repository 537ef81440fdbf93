"""The errors that this library raises of its own, by the names that people look for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import ops_lib as ops
from ops_lib.exceptions import ConfigurationError, InvalidSessionError, MirascopeOpsError, OpsError, UnknownFormatError


def test_they_are_found_without_an_import_of_their_module() -> None:
    assert ops.exceptions.ConfigurationError is ops.ConfigurationError is ConfigurationError
    assert ops.exceptions.InvalidSessionError is ops.InvalidSessionError is InvalidSessionError
    assert ops.exceptions.UnknownFormatError is ops.UnknownFormatError is UnknownFormatError


def test_each_is_also_a_value_error_and_an_error_of_ours() -> None:
    for kind in (ConfigurationError, InvalidSessionError, UnknownFormatError):
        assert issubclass(kind, ValueError)
        assert issubclass(kind, OpsError)
    assert MirascopeOpsError is OpsError


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ops.configure(shutdown_timeout_s=-1),
        lambda: ops.configure(exporter="zipkin"),
        lambda: ops.configure(exporter="otlp", endpoint="collector:4318"),
        lambda: ops.configure(exporter="none", sampler=2.0),
        lambda: ops.configure(exporter="none", sampler="often"),
        lambda: ops.configure(inject="zipkin"),
        lambda: ops.configure(tracer_provider=ops.get_tracer_provider()),
        lambda: ops.configure("shop", tracer_provider=ops.get_tracer_provider()),
    ],
)
def test_every_wrong_setting_is_a_configuration_error(wrong: Callable[[], None]) -> None:
    with pytest.raises(ConfigurationError):
        wrong()


def test_so_is_a_wrong_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "zipkin")
    with pytest.raises(ConfigurationError, match="MIRASCOPE_PROPAGATOR"):
        ops.get_propagator()
