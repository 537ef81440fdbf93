"""OpenTelemetry's own environment variables as a layer of the settings, below the file.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and protocol/exporter/.

May know how variables map to keys.
Must not read anything: the environment is an argument.
An empty variable counts as not set.
A variable for traces wins over the one for all signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from proxy.errors import SettingsProblem
from proxy.settings.layers import VARIABLE, Layer
from proxy.settings.otlp_values import parse_attributes
from proxy.settings.yaml_file import Path

# Variables whose value is a key's value, unchanged.
_PLAIN: Final[dict[str, Path]] = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("export", "endpoint"),
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ("export", "traces_endpoint"),
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": ("export", "metrics_endpoint"),
    "OTEL_BSP_MAX_QUEUE_SIZE": ("export", "queue_spans"),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": ("export", "batch_spans"),
}

# The same for variables with and without TRACES_ in the name.
_OTLP: Final[dict[str, Path]] = {
    "HEADERS": ("export", "headers"),
    "COMPRESSION": ("export", "compression"),
    "CERTIFICATE": ("export", "tls", "ca_file"),
    "CLIENT_CERTIFICATE": ("export", "tls", "cert_file"),
    "CLIENT_KEY": ("export", "tls", "key_file"),
}

# Milliseconds, which the settings have as seconds.
_MILLISECONDS: Final[dict[str, Path]] = {
    "OTEL_EXPORTER_OTLP_TIMEOUT": ("export", "timeout_s"),
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": ("export", "timeout_s"),
    "OTEL_BSP_SCHEDULE_DELAY": ("export", "delay_s"),
    "OTEL_BSP_EXPORT_TIMEOUT": ("export", "give_up_s"),
    "OTEL_METRIC_EXPORT_INTERVAL": ("export", "metrics_interval_s"),
}

_SAMPLERS: Final[dict[str, tuple[bool, float | None]]] = {  # whether parent-based, the ratio (None: from _ARG)
    "always_on": (False, 1.0),
    "always_off": (False, 0.0),
    "traceidratio": (False, None),
    "parentbased_always_on": (True, 1.0),
    "parentbased_always_off": (True, 0.0),
    "parentbased_traceidratio": (True, None),
}

_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")


def otel_layer(environ: Mapping[str, str]) -> Layer:
    """OpenTelemetry's variables as settings."""
    made = _Made({name: value.strip() for name, value in environ.items() if name.startswith("OTEL_") and value.strip()})
    for name, path in _PLAIN.items():
        made.take(name, path)
    for ending, path in _OTLP.items():
        made.take(f"OTEL_EXPORTER_OTLP_{ending}", path)
        made.take(f"OTEL_EXPORTER_OTLP_TRACES_{ending}", path)
    for name, path in _MILLISECONDS.items():
        made.take_milliseconds(name, path)
    for name in _PROTOCOLS:
        made.take_protocol(name)
    for signal in ("TRACES", "METRICS"):
        made.take_exporter(f"OTEL_{signal}_EXPORTER", ("export", signal.lower()))
    made.take_disabled("OTEL_SDK_DISABLED")
    made.take_resource("OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME")
    made.take_sampler("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG")
    return made.layer


class _Made:
    """The layer, while it is being made."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.layer = Layer()

    def take(self, name: str, path: Path) -> None:
        if name in self._values:
            self._put(name, path, self._values[name])

    def take_milliseconds(self, name: str, path: Path) -> None:
        value = self._values.get(name)
        if value is None:
            return
        if value.isascii() and value.isdigit() and len(value) < 16:
            self._put(name, path, int(value) / 1000)
        else:
            self._wrong(name, path, "expected a whole number of milliseconds")

    def take_protocol(self, name: str) -> None:
        value = self._values.get(name)
        if value is None:
            return
        path = ("export", "protocol")
        if value == "http/protobuf":
            self._put(name, path, value)
        else:
            self._wrong(
                name,
                path,
                "the sidecar only supports http/protobuf: collectors have it on port 4318 (4317 is gRPC)",
            )

    def take_exporter(self, name: str, path: Path) -> None:
        value = self._values.get(name)
        if value is None:
            return
        wanted = {one.strip().lower() for one in value.split(",")}
        if wanted <= {"otlp", "none"}:
            self._put(name, path, "otlp" in wanted)
        else:
            self._wrong(name, path, "expected otlp or none: the sidecar has no other exporter")

    def take_disabled(self, name: str) -> None:
        """Any value except `true` means false, as the specification says for booleans."""
        if self._values.get(name, "").lower() == "true":
            for signal in ("traces", "metrics"):
                self._put(name, ("export", signal), False)

    def take_resource(self, attributes: str, service_name: str) -> None:
        value = self._values.get(attributes)
        if value is not None:
            try:
                found = {one.key: one.value for one in parse_attributes(value)}
            except ValueError as error:
                self._wrong(attributes, ("service", "attributes"), str(error))
                found = {}
            name = found.pop("service.name", None)
            if found:
                self._put(attributes, ("service", "attributes"), found)
            if name:
                self._put(attributes, ("service", "name"), name)
        self.take(service_name, ("service", "name"))

    def take_sampler(self, name: str, argument: str) -> None:
        value = self._values.get(name)
        if value is None:
            return
        known = _SAMPLERS.get(value.lower())
        if known is None:
            self._wrong(name, ("sampling", "root"), f"expected one of {', '.join(_SAMPLERS)}")
            return
        is_parent_based, ratio = known
        self._put(name, ("sampling", "parent_based"), is_parent_based)
        if ratio is None and argument in self._values:
            self._put(argument, ("sampling", "root"), self._values[argument])
        else:
            self._put(name, ("sampling", "root"), 1.0 if ratio is None else ratio)

    def _put(self, name: str, path: Path, value: object) -> None:
        here = self.layer.data
        for step in path[:-1]:
            here = here.setdefault(step, {})
        here[path[-1]] = value
        self.layer.sources[path] = f"{VARIABLE} {name}"

    def _wrong(self, name: str, path: Path, message: str) -> None:
        problem = SettingsProblem(".".join(path), self._values[name], f"{VARIABLE} {name}", message)
        self.layer.problems.append(problem)
