"""What the decoder makes of a request: spans and logs as they came, with what the store looks for in them. Values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.console.intake.reports import Report


@dataclass(frozen=True, slots=True)
class Source:
    """The resource that sent a record: its bytes, and its service."""

    body: bytes
    service: str


@dataclass(frozen=True, slots=True)
class Span:
    """A span. `body` is the message as it came."""

    trace: bytes
    span: bytes
    parent: bytes
    source: Source
    scope: str
    name: str
    kind: int
    started: int
    ended: int
    is_error: bool
    session: str | None
    body: bytes
    attributes: Mapping[str, Any] = field(default_factory=dict)  # of roots, and of a sidecar's spans
    links: Sequence[str] = ()  # the reasons of a sidecar's links


@dataclass(frozen=True, slots=True)
class Log:
    """A log record of a trace."""

    trace: bytes
    source: Source
    scope: str
    at: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one request brought. `size` is what it holds in memory, about."""

    spans: Sequence[Span] = ()
    logs: Sequence[Log] = ()
    reports: Sequence[Report] = ()
    size: int = 0
    accepted: int = 0
    rejected: int = 0
    reason: str = ""  # why some were rejected, in words
    unkept: int = 0  # accepted, but nothing that the console keeps
    has_reports: bool = False
