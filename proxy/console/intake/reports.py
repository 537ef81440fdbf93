"""Reads what sidecars report beside their spans: OTLP logs and metrics of the scopes `ops-sidecar.report…`. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

SCOPE: Final = "ops-sidecar.report"


class Report:
    """One report."""


def read_logs(resource: Mapping[str, Any], scope: str, records: Sequence[Any]) -> Sequence[Report]:
    """The reports among log records. What cannot be read is left out."""
    return ()


def read_metrics(resource: Mapping[str, Any], scope: str, metrics: Sequence[Any]) -> Sequence[Report]:
    """The reports among metrics. What cannot be read is left out."""
    return ()
