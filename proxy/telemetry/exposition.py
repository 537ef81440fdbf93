"""The Prometheus text format 0.0.4: how to write a metric. Pure. Must not know our metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One line."""

    labels: Labels
    value: float
    suffix: str = ""  # of a histogram's parts


class Family(NamedTuple):
    """One metric with all of its lines."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    samples: list[Sample]


def page(families: Iterable[Family]) -> str:
    """Render all of them, one after another."""
    return "".join(map(family_text, families))


def family_text(family: Family) -> str:
    """HELP, TYPE and one line per sample."""
    lines = [f"# HELP {family.name} {_escape(family.text)}\n", f"# TYPE {family.name} {family.kind}\n"]
    for sample in family.samples:
        labels = ",".join(f'{name}="{_escape_label(value)}"' for name, value in sample.labels)
        lines.append(
            f"{family.name}{sample.suffix}{{{labels}}} {_number(sample.value)}\n"
            if labels
            else f"{family.name}{sample.suffix} {_number(sample.value)}\n"
        )
    return "".join(lines)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escape_label(text: str) -> str:
    return _escape(text).replace('"', '\\"')


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value) or repr(float(value))
