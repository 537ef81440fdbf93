"""The text formats of Prometheus, 0.0.4, and of OpenMetrics, 1.0: how to write a metric. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/
https://prometheus.io/docs/specs/om/open_metrics_spec/

Must not know our metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from proxy.telemetry.durations import Exemplar

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Labels = tuple[tuple[str, str], ...]
_UNITS: Final = ("seconds", "bytes")


class Sample(NamedTuple):
    """One line."""

    labels: Labels
    value: float
    suffix: str = ""  # of a histogram's parts
    exemplar: Exemplar | None = None  # of a histogram's bucket


class Convention(NamedTuple):
    """What OpenTelemetry calls a metric, where it is one of its own."""

    name: str
    attributes: Mapping[str, str]  # by label
    numbers: frozenset[str]  # the labels that are whole numbers there


class Family(NamedTuple):
    """One metric with all of its lines."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    samples: list[Sample]
    convention: Convention | None = None


def wants_openmetrics(accept: str) -> bool:
    """Whether a request with this Accept prefers OpenMetrics 1.0 to the older text (RFC 9110, 12.5.1)."""
    openmetrics = plain = 0.0
    for part in accept.lower().split(","):
        kind, *parameters = (each.strip() for each in part.split(";"))
        given = dict(each.partition("=")[::2] for each in parameters)
        try:
            quality = float(given.get("q", "1"))
        except ValueError:
            quality = 0.0
        version = given.get("version", "").strip('"')
        if kind == "application/openmetrics-text" and version in ("", "1.0.0"):
            openmetrics = max(openmetrics, quality)
        elif kind == "text/plain" and version in ("", "0.0.4"):
            plain = max(plain, quality)
    return openmetrics > 0 and openmetrics >= plain


def page(families: Iterable[Family]) -> str:
    """All of them, one after another, in the text format 0.0.4."""
    return "".join(map(family_text, families))


def openmetrics_page(families: Iterable[Family]) -> str:
    """The same as OpenMetrics: with exemplars, and with a mark at its end."""
    return "".join(map(_openmetrics, families)) + "# EOF\n"


def family_text(family: Family) -> str:
    """HELP, TYPE and one line per sample."""
    head = f"# HELP {family.name} {_escape(family.text)}\n# TYPE {family.name} {family.kind}\n"
    return head + "".join([f"{_line(family.name, sample)}\n" for sample in family.samples])


def _openmetrics(family: Family) -> str:
    """Here a counter's name lacks the `_total` of its samples."""
    name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
    lines = [f"# HELP {name} {_escape_label(family.text)}\n", f"# TYPE {name} {family.kind}\n"]
    lines += [f"# UNIT {name} {unit}\n" for unit in _UNITS if name.endswith(f"_{unit}")]
    lines += [f"{_line(family.name, sample)}{_exemplar(sample.exemplar)}\n" for sample in family.samples]
    return "".join(lines)


def _line(name: str, sample: Sample) -> str:
    labels = ",".join([f'{label}="{_escape_label(value)}"' for label, value in sample.labels])
    return f"{name}{sample.suffix}{f'{{{labels}}}' if labels else ''} {_number(sample.value)}"


def _exemplar(found: Exemplar | None) -> str:
    if found is None:
        return ""
    ids = f'trace_id="{found.trace_id.decode("ascii")}",span_id="{found.span_id.decode("ascii")}"'
    return f" # {{{ids}}} {_number(found.value_s)} {found.time_ns / 1e9:.3f}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escape_label(text: str) -> str:
    return _escape(text).replace('"', '\\"')


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value) or repr(float(value))
