"""The translators of one listener: one for each way of propagation, trust, and egress. Made once per plan. PURE.

May know the plan, the translator, what is believed and what may leave. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from random import getrandbits

from ops_lib.propagation import Format
from proxy.participation.egress import Egress
from proxy.participation.in_flight import InFlightTable
from proxy.participation.sampling import Sampler
from proxy.participation.trust import TrustRules
from proxy.plan import ListenerPlan, PropagationPlan, UpstreamPlan
from proxy.plan.participation import CargoPlan, TrustPlan
from proxy.shadow import Shadow, Tape
from proxy.translate import Translator


class Translators:
    """All that one listener needs; each is made when it is first asked for."""

    def __init__(self, plan: ListenerPlan, in_flight: InFlightTable | None, clock: Callable[[], float]) -> None:
        """`in_flight`: the requests at the app, if the app is the one that calls here. `clock`: as in Translator."""
        self._clock = clock
        self._in_flight = in_flight
        self.rules = TrustRules(plan.trust)
        self._egress = Egress(plan.egress)
        self._lists = (plan.egress.trace, plan.egress.session, plan.egress.baggage)
        self._session_names = plan.session_names
        self._samplers: dict[tuple[PropagationPlan, bool], Sampler] = {}
        self._made: dict[tuple[PropagationPlan, CargoPlan, TrustPlan, bool], Translator] = {}
        self._tape = Tape()

    def __len__(self) -> int:
        return len(self._made)

    def allowed(self, upstream: UpstreamPlan, host: str, port: int) -> CargoPlan:
        """What may leave for `upstream`, by a request that names `host` and `port`: what counts is where it goes."""
        if upstream.target is not None:
            host, port = upstream.target.address.host, upstream.target.address.port
        return self._egress.allowed(host, port)

    def all_allowed(self, upstream: UpstreamPlan) -> tuple[CargoPlan, ...]:
        """All that `allowed` may say of `upstream`."""
        if upstream.target is not None:
            return (self.allowed(upstream, "", 0),)
        choices = ((True,) if patterns is None else (True, False) for patterns in self._lists)
        return tuple(CargoPlan(*choice) for choice in product(*choices))

    def of(self, upstream: UpstreamPlan, allowed: CargoPlan) -> tuple[Translator, ...]:
        """Those for requests to `upstream`, by the number of the rule of trust."""
        plan = upstream.propagation
        if plan.mirror:  # so that they are known, and own what is set aside: any one format may be asked for
            for format in plan.extract:
                self.writing((format,), upstream, allowed)
        return self._of(plan, allowed)

    def writing(
        self, formats: tuple[Format, ...], upstream: UpstreamPlan, allowed: CargoPlan
    ) -> tuple[Translator, ...]:
        """The same, but they write `formats`."""
        return self._of(replace(upstream.propagation, inject=formats), allowed)

    def shadow(self, upstream: UpstreamPlan, allowed: CargoPlan) -> Shadow | None:
        """What requests to `upstream` are compared with, if anything."""
        plan = upstream.propagation.shadow
        if plan is None:
            return None
        names = {*self._session_names, *plan.session_extract, plan.session_inject}
        return Shadow(self.of(upstream, allowed), self._of(plan, allowed, is_shadow=True), self._tape, names)

    def _of(self, plan: PropagationPlan, allowed: CargoPlan, *, is_shadow: bool = False) -> tuple[Translator, ...]:
        return tuple(self._translator(plan, allowed, trust, is_shadow) for trust in self.rules.plans)

    def owns(self, name: bytes) -> bool:
        """Whether any of them owns the header `name`."""
        return any(owner.owns(name) for owner in self._made.values())

    def _translator(
        self, plan: PropagationPlan, allowed: CargoPlan, trust: TrustPlan, is_shadow: bool = False
    ) -> Translator:
        key = plan, allowed, trust, is_shadow
        found = self._made.get(key)
        if found is None:
            numbers = self._tape.replay if is_shadow else self._tape.record if plan.shadow is not None else getrandbits
            # What is mirrored shares a limit with what is not; a shadow uses up nobody's.
            of = replace(plan, inject=()) if plan.mirror else plan
            sampler = self._samplers.setdefault((of, is_shadow), Sampler(plan.sampling, self._clock))
            found = self._made[key] = Translator(
                plan,
                trust=trust,
                allowed=allowed,
                session_names=self._session_names,
                sampler=sampler,
                in_flight=self._in_flight,
                random_bits=numbers,
            )
        return found
