"""Tells a console of each exchange: counts it by who spoke what, and reports it as far as there is room.

May know what is accounted, translations, and the channel.
A bug in here never breaks an exchange: it is counted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from secrets import randbits
from time import time, time_ns
from typing import Final, final

from proxy.listener.accounting import Accounted
from proxy.listener.listener_rules import ListenerRules
from proxy.listener.reports.facts import (
    ADDRESS,
    context_of,
    parent_of,
    peer_of,
    rare_of,
    read_tokens,
    timing_of,
    winner_of,
)
from proxy.listener.sides import Asker
from proxy.semantics.faults import Refusal
from proxy.semantics.request import Request
from proxy.telemetry.report.channel import Channel
from proxy.telemetry.report.exchange import NOTHING_RARE, ExchangeEncoder, Rare, Shared
from proxy.translated import NOTHING

log = logging.getLogger(__name__)

_NANOSECONDS: Final = 1_000_000_000
_ID_BITS: Final = (1 << 64) - 1


@final
class Reporter:
    """Of all listeners. One per data plane."""

    __slots__ = ("_channel", "_clock", "_encoder", "_next_id")

    def __init__(self, channel: Channel, clock: Callable[[], float] = time) -> None:
        self._channel = channel
        self._clock = clock
        self._encoder = ExchangeEncoder()
        self._next_id = randbits(64)

    @property
    def is_on(self) -> bool:
        """Whether a console wants to know."""
        return self._channel.is_on

    def id_of(self, accounted: Accounted) -> bytes:
        """The id of an exchange in reports: its own span's, or one of ours."""
        if not accounted.report_id:
            translation = accounted.translation
            if translation is not None and translation.span is not None:
                accounted.report_id = b"r_" + translation.span.span_id
            else:
                self._next_id = (self._next_id + 1) & _ID_BITS
                accounted.report_id = b"r_%016x" % self._next_id
        return accounted.report_id

    def record(
        self,
        accounted: Accounted,
        asker: Asker,
        rules: ListenerRules,
        status: int,
        duration_s: float,
        refusal: Refusal | None,
    ) -> None:
        """An exchange is over. `status`: as it is logged."""
        try:
            self._record(accounted, asker, rules, status, duration_s, refusal)
        except Exception as error:  # a bug of ours: the outermost edge
            self._channel.failed(type(error).__name__)
            log.debug("an exchange was not reported", exc_info=error)

    def _record(
        self,
        accounted: Accounted,
        asker: Asker,
        rules: ListenerRules,
        status: int,
        duration_s: float,
        refusal: Refusal | None,
    ) -> None:
        channel, terms, request = self._channel, accounted.terms, accounted.request
        translation = accounted.translation or NOTHING
        is_inbound = rules.plan.direction == "inbound"
        kind, peer = peer_of(rules, asker, request) if is_inbound else ("", "")
        read = read_tokens(translation, terms.unread(request))
        written = ",".join(translation.injected)
        named = b"" if is_inbound or terms.span_host else request.host
        if accounted.translation is not None:  # else it began before anybody asked, or was abandoned unread
            leg = "in" if is_inbound else "out"
            key = leg, kind, peer, terms.upstream, named.decode("latin-1"), read, written
            channel.formats.add(key, self._clock())
        response = accounted.extras.response if accounted.extras is not None else None
        is_notable = bool(refusal is not None or accounted.findings or accounted.report_id or "~" in read)
        if not channel.has_room(is_notable):
            return
        context, sampling, is_short = context_of(translation)
        shared = Shared(
            is_inbound,
            terms.listener,
            terms.upstream,
            kind,
            peer,
            request.host,
            request.method,
            status,
            refusal.fault.label if refusal is not None else "",
            read,
            written,
            winner_of(translation),
            sampling,
            is_short,
            request.field(b"user-agent"),
        )
        entry = self._encoder.encode(
            shared,
            rare_of(accounted, translation, refusal.detail if refusal is not None else ""),
            request_id=self.id_of(accounted),
            path=request.path.partition(b"?")[0],
            duration_ns=int(duration_s * _NANOSECONDS),
            end_ns=time_ns(),
            context=context,
            parent=parent_of(translation),
            session=translation.session,
            came=request.trace,
            went=translation.headers,
            others=tuple([name for name, _ in request.fields()]),
            added=tuple([name for name, _ in rules.hop(asker.address).fields(request)]),
            timing=timing_of(accounted),
            answered=tuple([name for name, _ in response.fields()]) if response is not None else (),
        )
        channel.add(entry)

    def record_ours(
        self, rules: ListenerRules, request: Request | None, client: bytes, status: int, refusal: Refusal | None
    ) -> None:
        """We answered ourselves, before anything was sent on. `request`: None if its head could not be read."""
        try:
            if self._channel.has_room(refusal is not None):
                self._channel.add(self._ours(rules, request, client, status, refusal))
        except Exception as error:  # a bug of ours: the outermost edge
            self._channel.failed(type(error).__name__)
            log.debug("an answer of ours was not reported", exc_info=error)

    def _ours(
        self, rules: ListenerRules, request: Request | None, client: bytes, status: int, refusal: Refusal | None
    ) -> bytes:
        is_inbound = rules.plan.direction == "inbound"
        shared = Shared(
            is_inbound=is_inbound,
            listener=rules.plan.name,
            upstream="",
            peer_kind=ADDRESS if is_inbound else "",
            peer=(client.decode("latin-1") or "unix") if is_inbound else "",
            host=request.host if request is not None else b"",
            method=request.method if request is not None else b"",
            status=status,
            fault=refusal.fault.label if refusal is not None else "",
            read="",
            written="",
            winner="",
            sampling="",
            is_short=False,
            agent=request.field(b"user-agent") if request is not None else b"",
        )
        self._next_id = (self._next_id + 1) & _ID_BITS
        return self._encoder.encode(
            shared,
            Rare(fault_detail=refusal.detail) if refusal is not None else NOTHING_RARE,
            request_id=b"r_%016x" % self._next_id,
            path=request.path.partition(b"?")[0] if request is not None else b"",
            duration_ns=0,
            end_ns=time_ns(),
            context=None,
            parent=b"",
            session=None,
            came=(),
            went=(),
            others=tuple([name for name, _ in request.fields()]) if request is not None else (),
            added=(),
            timing=None,
            answered=(),
        )
