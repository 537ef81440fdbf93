"""The families of `/metrics` as OTLP metrics (metrics.proto). PURE: families in, bytes out.

Counters are cumulative monotonic sums, since the start of the process; histograms likewise.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Iterable
from struct import pack
from typing import Final

from proxy.telemetry.durations import Exemplar
from proxy.telemetry.exposition import Convention, Family, Labels, Sample
from proxy.telemetry.otlp import attributes
from proxy.telemetry.otlp.protobuf import double, fixed64, integer, message

# NumberDataPoint and HistogramDataPoint
_START: Final = 2
_TIME: Final = 3
_NUMBER_ATTRIBUTE: Final = 7
_HISTOGRAM_ATTRIBUTE: Final = 9

_CUMULATIVE: Final = 2  # AggregationTemporality
_UNITS: Final = (("_seconds", "s"), ("_bytes", "By"))


def metrics(families: Iterable[Family], start_ns: int, now_ns: int) -> list[bytes]:
    """Entries of ScopeMetrics.metrics, tag and length included. Families without samples are left out."""
    return [message(2, _metric(family, start_ns, now_ns)) for family in families if family.samples]


def _metric(family: Family, start_ns: int, now_ns: int) -> bytes:
    convention = family.convention
    name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
    unit = next((unit for ending, unit in _UNITS if name.endswith(ending)), "1")
    name = convention.name if convention is not None else name
    made = message(1, name.encode()) + message(2, family.text.encode()) + message(3, unit.encode())
    if family.kind == "histogram":
        points = b"".join(message(1, point) for point in _histogram_points(family, start_ns, now_ns))
        return made + message(9, points + integer(2, _CUMULATIVE))
    points = b"".join(message(1, _number_point(sample, start_ns, now_ns)) for sample in family.samples)
    if family.kind == "counter":
        return made + message(7, points + integer(2, _CUMULATIVE) + integer(3, 1))
    return made + message(5, points)


def _number_point(sample: Sample, start_ns: int, now_ns: int) -> bytes:
    value = fixed64(6, sample.value & (1 << 64) - 1) if isinstance(sample.value, int) else double(4, sample.value)
    return _labels(sample.labels, _NUMBER_ATTRIBUTE) + fixed64(_START, start_ns) + fixed64(_TIME, now_ns) + value


class _Point:
    """A histogram's data point, gathered from its samples."""

    def __init__(self) -> None:
        self.buckets: list[tuple[float, int]] = []  # bounds, and the counts up to them
        self.exemplars: list[Exemplar] = []
        self.parts: dict[str, float] = {}


def _histogram_points(family: Family, start_ns: int, now_ns: int) -> Iterable[bytes]:
    """Prometheus has a line per bucket, which includes lower buckets. OTLP has one point with separate buckets."""
    series: dict[Labels, _Point] = {}
    for sample in family.samples:
        labels = tuple(pair for pair in sample.labels if pair[0] != "le")
        point = series.setdefault(labels, _Point())
        if sample.suffix == "_bucket":
            point.buckets.append((float(dict(sample.labels)["le"]), int(sample.value)))
            point.exemplars += [sample.exemplar] if sample.exemplar is not None else []
        else:
            point.parts[sample.suffix] = sample.value
    for labels, point in series.items():
        below = [0, *(number for _, number in point.buckets)]
        counts = [number - before for number, before in zip(below[1:], below, strict=False)]
        bounds = [bound for bound, _ in point.buckets[:-1]]
        yield (
            _labels(labels, _HISTOGRAM_ATTRIBUTE, family.convention)
            + fixed64(_START, start_ns)
            + fixed64(_TIME, now_ns)
            + fixed64(4, int(point.parts["_count"]))
            + double(5, point.parts["_sum"])
            + message(6, pack(f"<{len(counts)}Q", *counts))
            + message(7, pack(f"<{len(bounds)}d", *bounds))
            + b"".join(message(8, _exemplar(one)) for one in point.exemplars)
        )


def _exemplar(one: Exemplar) -> bytes:
    ids = message(4, unhexlify(one.span_id)) + message(5, unhexlify(one.trace_id))
    return fixed64(2, one.time_ns) + double(3, one.value_s) + ids


def _labels(labels: Labels, field: int, convention: Convention | None = None) -> bytes:
    return b"".join(_attribute(name, value, field, convention) for name, value in labels)


def _attribute(name: str, value: str, field: int, convention: Convention | None) -> bytes:
    if convention is None:
        return attributes.string(name, value.encode("utf-8", "replace"), field)
    key = convention.attributes[name]
    if name in convention.numbers:
        return attributes.number(key, int(value), field)
    if name == "otel_metric_overflow":
        return attributes.boolean(key, value == "true", field)
    return attributes.string(key, value.encode("utf-8", "replace"), field)
