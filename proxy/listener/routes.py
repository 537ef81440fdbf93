"""Routes: one upstream as served from one listener, with all that its requests need. Made once per plan.

May know the plan, the translator, the pools. Must not know messages in flight.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from proxy.listener.app_calls.doctor import Doctor
from proxy.listener.app_calls.rereading import reread
from proxy.listener.destinations import prohibited
from proxy.listener.mirroring import Mirroring
from proxy.listener.terms import Terms
from proxy.listener.translation import tally, tally_trust, tell, untranslated
from proxy.listener.trials import Trial
from proxy.listener.upstream_health import UpstreamHealth
from proxy.listener.upstreams.pools import Pool, Pools
from proxy.participation.entry import InFlight
from proxy.participation.linking import Linked
from proxy.plan import Address, UpstreamPlan, UpstreamTarget
from proxy.semantics.request import Field, Request
from proxy.telemetry.metrics import ExchangeMetrics
from proxy.telemetry.otlp.span import SpanEncoder
from proxy.translate import Translator
from proxy.translated import Translation, ids_given


class Route(Terms):
    """Gives requests to one upstream their connections, and their trace fields."""

    __slots__ = (
        "_doctor",
        "_fixed_pool",
        "_is_inbound",
        "_is_shared",
        "_is_usual",
        "_mirroring",
        "_plan",
        "_pools",
        "_remembers_all",
        "_translators",
        "_trial",
        "_trust_names",
    )

    def __init__(
        self,
        plan: UpstreamPlan,
        translators: tuple[Translator, ...],
        pools: Pools,
        metrics: ExchangeMetrics,
        *,
        listener: str,
        inbound: bool,
        trust_names: tuple[str, ...],
        is_shared: bool,
        remembers_all: bool = False,
        buffer_bytes: int,
        gather_bytes: int,
        response_via: bytes,
        span_encoder: SpanEncoder,
        health: UpstreamHealth | None = None,
        doctor: Doctor | None = None,
        mirroring: Mirroring | None = None,
        trial: Trial | None = None,
    ) -> None:
        """`translators`, and `trust_names` for metrics: by the number of the rule of trust.

        `mirroring`: chooses other translators by the peer. `trial`: what would differ with others.
        `is_shared`: whether other translators own fields that are plain for one of these.
        `remembers_all`: also requests of which calls can lack nothing, since they may have to be joined to them,
        or told from others of their trace.
        """
        super().__init__(
            plan,
            metrics,
            listener=listener,
            buffer_bytes=buffer_bytes,
            gather_bytes=gather_bytes,
            response_via=response_via,
            span_encoder=span_encoder,
            is_inbound=inbound,
            health=health,
        )
        self._plan = plan
        self._doctor = doctor
        self._mirroring = mirroring
        self._trial = trial
        self._is_usual = mirroring is None and trial is None  # one translator for each rule
        self._is_inbound = inbound
        self._translators = translators
        self._trust_names = trust_names
        self._is_shared = is_shared
        self._remembers_all = remembers_all
        self._pools = pools
        target = plan.target
        # Found once, for speed: a target is slow to hash.
        self._fixed_pool = pools.pool(plan.name, target, plan.pool, inbound=inbound) if target is not None else None

    def __repr__(self) -> str:
        return f"<Route {self.listener} -> {self.upstream}>"

    def pool(self, request: Request) -> Pool:
        """Where connections come from. Raises Refusal if `request` names a target, and too many are in use."""
        if self._fixed_pool is not None:
            return self._fixed_pool
        host, port = request.authority
        return self._pools.named_by_request(self.upstream, request.scheme, host, port, self._plan.pool)

    def pool_at(self, request: Request, original: Address) -> Pool:
        """The same for a redirected connection, which goes on to where it was meant to go.

        An upstream that has a target is that target; an app is at the port that its caller meant.
        Anybody may write a Host, so a destination that its name alone allows is looked up here.
        Raises Refusal.
        """
        target = self._plan.target
        if target is not None:
            if not self._is_inbound or target.address.unix_path or target.address.port == original.port:
                return self.pool(request)
            address = Address(target.address.host, original.port)
            return self._pools.at(self.upstream, replace(target, address=address), self._plan.pool, inbound=True)
        destinations = self._plan.pool.destinations
        if destinations is not None:
            named = request.authority
            denied = destinations.bars(named.host, named.port or original.port) if named.host else None
            if denied is not None:
                raise prohibited(named.host, original.port, denied)
            if destinations.barrier(original.host, original.host, original.port) is not None and named.host:
                return self.pool(request)
        return self._pools.at(self.upstream, UpstreamTarget("http", original), self._plan.pool)

    def translate(self, request: Request, rule: int = 0) -> Translation:
        """The trace fields for the upstream, translated from those of `request` and counted. Never raises.

        `rule`: the number of the rule of trust for the peer.
        """
        metrics = self.metrics.translation
        try:
            translator = self._translators[rule] if self._is_usual else self._translator(request, rule)
            trace = self._own(request, translator) if self._is_shared else request.trace
            translation = translator.translate(trace, request)
            tally(metrics, translation)
            if self._trial is not None:
                self._trial.compare(metrics, request, translation, rule)
            if self._doctor is not None:
                self._doctor.examine(translation, trace, translator.unread(trace))
            if rule:
                tally_trust(metrics, self._trust_names[rule], translation)
        except Exception as error:  # a bug of ours: the outermost edge
            return untranslated(metrics, error)
        return translation

    def _translator(self, request: Request, rule: int) -> Translator:
        if self._trial is not None:
            self._trial.begin()
        mirroring = self._mirroring
        if mirroring is None:
            return self._translators[rule]
        chosen = mirroring.translators(request)
        if chosen is not self._translators:
            self.metrics.translation.mirrored += 1
        return chosen[rule]

    def lacks_context(self, request: Request) -> bool:
        """Whether `request` says nothing of a trace. Never raises."""
        try:
            return self._translators[0].lacks_context(request.trace)
        except Exception as error:  # a bug of ours: the outermost edge
            tell(self.metrics.translation, error)
            return False

    def translate_linked(self, request: Request, linked: Linked, rule: int = 0) -> Translation:
        """As `translate`, of a call without a context that was joined to a request at the app, or could not be."""
        metrics = self.metrics.translation
        try:
            translator = self._translator(request, rule)
            trace = self._own(request, translator) if self._is_shared else request.trace
            translation = translator.translate_linked(trace, request, linked)
            tally(metrics, translation)
            if self._trial is not None:
                self._trial.compare(metrics, request, translation, rule, linked)
            if self._doctor is not None:
                self._doctor.examine(translation, trace, translator.unread(trace))
            if rule:
                tally_trust(metrics, self._trust_names[rule], translation)
        except Exception as error:  # a bug of ours: the outermost edge
            return untranslated(metrics, error)
        return translation

    def unread(self, request: Request) -> str:
        return self._translators[0].unread(request.trace) if request.trace else ""

    def failed(self, error: Exception) -> None:
        tell(self.metrics.translation, error)

    def remember(self, given: object, now: float) -> InFlight | None:
        return self._remember(cast(Translation, given), now, self._remembers_all)

    def _remember(self, translation: Translation, now: float, always: bool) -> InFlight | None:
        try:
            mirroring = self._mirroring
            made_by = self._translators if mirroring is None else mirroring.made(translation.injected)
            place = made_by[0].place_of(translation)
            if place is not None:
                return InFlight(place.trace_id, place.span_id, now, place.carried, (), translation)
            if not always:
                return None
            trace_id, span_id = ids_given(translation)
            return InFlight(trace_id, span_id, now, None, (), translation)
        except Exception as error:  # a bug of ours: the outermost edge
            tell(self.metrics.translation, error)
            return None

    def remember_late(self, translation: Translation | None, written: list[Field], now: float) -> InFlight | None:
        """As `remember`, of any request that is at the app already. Never raises.

        `written`: the trace fields that went out, in case the `translation` was not kept.
        """
        try:
            made = translation if translation is not None else reread(self._plan.propagation, written)
        except Exception as error:  # a bug of ours: the outermost edge
            tell(self.metrics.translation, error)
            return None
        return self._remember(made, now, True)

    def _own(self, request: Request, translator: Translator) -> list[Field]:
        """The fields of `request` that `translator` owns. Those that only others own are forwarded unchanged."""
        owns = translator.owns
        for name, value in request.trace:
            if not owns(name):
                request.forward(name, value)
        return [field for field in request.trace if owns(field[0])]
