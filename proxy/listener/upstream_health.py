"""Logs that an upstream fails, and when it is back: at most once a minute, not for each request.

May know faults. It only logs: a failing upstream gets requests like any other.
"""

from __future__ import annotations

import logging
from typing import Final

from proxy.semantics.faults import Fault, Refusal
from proxy.telemetry.log import fields

log = logging.getLogger(__name__)

TELL_EVERY_S: Final = 60.0
_FAULTS: Final = frozenset(
    {Fault.DNS_ERROR, Fault.CONNECTION_REFUSED, Fault.UNREACHABLE, Fault.TLS_CERTIFICATE, Fault.TLS_ERROR}
    | {Fault.CONNECT_TIMEOUT, Fault.CONNECTION_LOST, Fault.RESPONSE_INCOMPLETE, Fault.BAD_RESPONSE}
    | {Fault.RESPONSE_HEAD_TOO_LARGE, Fault.BAD_UPGRADE, Fault.RESPONSE_TIMEOUT, Fault.BODY_TIMEOUT}
    | {Fault.QUEUE_FULL, Fault.QUEUE_TIMEOUT}
)


class UpstreamHealth:
    """The state of one upstream, as logged."""

    __slots__ = ("_failures", "_is_one", "_since", "_told", "is_failing", "upstream")

    def __init__(self, upstream: str, *, is_one: bool) -> None:
        """`is_one`: whether it is one target. With many, the success of one says nothing about another."""
        self.upstream = upstream
        self.is_failing = False  # logged as failing
        self._is_one = is_one
        self._failures = 0  # since the last line
        self._since = 0.0  # when it began to fail
        self._told = -TELL_EVERY_S

    def failed(self, refusal: Refusal, now: float) -> None:
        """A request has failed, not always by the upstream's fault. `now`: in seconds, of any clock."""
        if refusal.fault not in _FAULTS:
            return
        self._failures += 1
        if now - self._told < TELL_EVERY_S:
            return
        if not self.is_failing:
            self._since = now
        told = fields(upstream=self.upstream, fault=refusal.fault.label, detail=refusal.detail, failures=self._failures)
        log.warning("an upstream fails", extra=told)
        self.is_failing = self._is_one
        self._told = now
        self._failures = 0

    def succeeded(self, now: float) -> None:
        """It has answered. Only called while `is_failing`."""
        self.is_failing = False
        told = fields(upstream=self.upstream, after_s=round(now - self._since, 1), further_failures=self._failures)
        log.warning("an upstream is back", extra=told)
        self._failures = 0


class UpstreamHealths:
    """One for each upstream, whatever listeners and plans serve it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], UpstreamHealth] = {}

    def of(self, upstream: str, *, is_one: bool) -> UpstreamHealth:
        """That of `upstream`."""
        return self._known.setdefault((upstream, is_one), UpstreamHealth(upstream, is_one=is_one))
