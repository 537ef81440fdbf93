"""The rules by which a listener serves requests: its part of the plan, prepared for requests.

May know the plan, routes, translators.
Made once per plan.
A request keeps the rules that are in force when its head is read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from time import monotonic
from typing import Final

from proxy.listener.app_calls.doctor import Doctor
from proxy.listener.app_calls.linking import Linker
from proxy.listener.mirroring import Mirroring
from proxy.listener.records.spans import Spans
from proxy.listener.routes import Route
from proxy.listener.sides import Asker
from proxy.listener.trials import Trials
from proxy.listener.upstream_health import UpstreamHealths
from proxy.listener.upstreams.pools import Pools
from proxy.participation.in_flight import InFlightTable
from proxy.participation.mirror import Mirror
from proxy.plan import Address, ListenerPlan, UpstreamPlan
from proxy.plan.participation import CargoPlan
from proxy.semantics.authority import MAX_AUTHORITY_BYTES, Authority, parse_authority
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import request_kinds
from proxy.semantics.hop import Hop
from proxy.semantics.request import Request
from proxy.telemetry.metrics import Metrics
from proxy.translate import Translator
from proxy.translators import Translators

# Keys are short (an authority, an address), so these limit the bytes, too.
_REMEMBERED_AUTHORITIES: Final = 1024
_REMEMBERED_NAMES_CHARACTERS: Final = 256  # of a client's certificate, all together
_REMEMBERED_CLIENTS: Final = 1024
_MOST_HOPS: Final = 64  # in X-Forwarded-For: finds loops if no Via is sent
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ListenerRules:
    """A ListenerPlan, compiled. Immutable, except for its memories."""

    def __init__(
        self,
        plan: ListenerPlan,
        pools: Pools,
        metrics: Metrics,
        spans: Spans,
        pseudonym: str,
        healths: UpstreamHealths | None = None,
        in_flight: InFlightTable | None = None,
        linker: Linker | None = None,
        doctor: Doctor | None = None,
        mirror: Mirror | None = None,
        trials: Trials | None = None,
        *,
        evidence: tuple[str, ...] = (),
        has_calls: bool = False,
    ) -> None:
        """`in_flight`: the requests that are at the app now, of all listeners of a data plane.
        `linker`: joins calls to them; None: nobody does.
        `doctor`: compares calls to them.
        `mirror`: what peers were seen to speak; None: nobody wants to know.
        `trials`: the last examples of what shadows would do.
        `evidence`: the headers that join calls to requests.
        `has_calls`: whether the app has a way out.

        `pseudonym`: our name in Via, unique to this process and listener (RFC 9110, 7.6.3).
        """
        healths = healths or UpstreamHealths()
        self.plan = plan
        self.metrics = metrics.listener(plan.name)
        self.pseudonym = pseudonym.encode("ascii")
        self._via = self.pseudonym if plan.via else b""
        self._refused_methods = frozenset(method.encode("ascii") for method in plan.limits.refused_methods)
        upstreams = plan.router.upstreams()
        self.in_flight = InFlightTable() if in_flight is None else in_flight
        self.linker = linker
        # A call is told from those of other requests of its trace only if all of them are known.
        carries_over = has_calls and any(upstream.propagation.carry_over for upstream in upstreams)
        self.remembers_all = linker is not None or carries_over
        self.remembers = self.remembers_all or any(upstream.propagation.carry_over for upstream in upstreams)
        self.doctor = doctor if plan.direction == "outbound" else None
        self.mirror = mirror
        of_app = self.in_flight if plan.direction == "outbound" else None  # the app is who calls there
        self._translators = made = Translators(plan, of_app, monotonic)
        translators = {
            (upstream, allowed): made.of(upstream, allowed)
            for upstream in upstreams
            for allowed in made.all_allowed(upstream)
        }
        trials = trials or Trials()
        for upstream, allowed in translators:
            made.shadow(upstream, allowed)  # before it is asked what any translator owns
        # The fields of a head are sorted before the request's route is known.
        # So all fields that any translator owns are set aside.
        # Those that the chosen one does not own are forwarded unchanged: see `Route.translate`.
        self.kinds = request_kinds(made.owns, via=plan.via, x_forwarded=plan.x_forwarded)
        # Trace fields that may have to be read again, as evidence.
        self.keeps_trace = any(made.owns(name.encode("latin-1")) for name in evidence)
        # RFC 9110, 7.6.3: a proxy (an outbound listener) adds Via to responses. A gateway need not.
        self.is_proxy = plan.direction == "outbound"
        self.is_transparent = plan.transparent
        response_via = self._via if self.is_proxy else b""
        self._routes = {
            (upstream, allowed): Route(
                upstream,
                for_rules,
                pools,
                metrics.exchange(plan.name, upstream.name, is_server=plan.direction == "inbound"),
                listener=plan.name,
                inbound=plan.direction == "inbound",
                trust_names=made.rules.names,
                is_shared=len(made) > 1,
                remembers_all=self.remembers_all,
                buffer_bytes=plan.limits.buffer_bytes,
                gather_bytes=plan.limits.gather_bytes,
                response_via=response_via,
                doctor=self.doctor,
                health=healths.of(upstream.name, is_one=upstream.target is not None),
                span_encoder=spans.encoder(
                    upstream,
                    for_rules[0],
                    listener=plan.name,
                    is_inbound=plan.direction == "inbound",
                ),
                mirroring=self._mirroring(upstream, allowed, for_rules),
                trial=trials.of(plan.name, upstream.name, made.shadow(upstream, allowed))
                if trials is not None
                else None,
            )
            for (upstream, allowed), for_rules in translators.items()
        }
        self.only = self._find("", 0) if plan.fixed_upstream else None  # the route of every request
        self.has_trust = len(made.rules) > 0
        self.trust_names = made.rules.names
        self._parsed = lru_cache(_REMEMBERED_AUTHORITIES)(parse_authority)
        self._last_authority: tuple[bytes, Authority | None] = b"", None  # mostly: to compare is faster than to hash
        self.read_authority: Callable[[bytes], Authority | None] = self.parse_authority  # bound once, for speed
        self._found = lru_cache(_REMEMBERED_AUTHORITIES)(self._find)
        self._hops = lru_cache(_REMEMBERED_CLIENTS)(self._hop)
        self._last_client, self._last_hop = b"", self._hop(b"")
        self._judged = lru_cache(_REMEMBERED_CLIENTS)(self._judge)

    def _mirroring(self, upstream: UpstreamPlan, allowed: CargoPlan, usual: tuple[Translator, ...]) -> Mirroring | None:
        if self.mirror is None or not upstream.propagation.mirror:
            return None
        made = self._translators
        is_inbound = self.plan.direction == "inbound"
        return Mirroring(
            self.mirror,
            usual,
            lambda formats: made.writing(formats, upstream, allowed),
            host=None if upstream.target is None else upstream.target.address.host,
            is_of_app=is_inbound,
        )

    def parse_authority(self, raw: bytes) -> Authority | None:
        """As `authority.parse_authority`, and remembered."""
        last, authority = self._last_authority
        if raw == last:
            return authority
        if len(raw) > MAX_AUTHORITY_BYTES:
            return None
        authority = self._parsed(raw)
        self._last_authority = raw, authority
        return authority

    def _find(self, host: str, port: int) -> Route:
        upstream = self.plan.router.route(host, port)
        return self._routes[upstream, self._translators.allowed(upstream, host, port)]

    def hop(self, client: bytes) -> Hop:
        """What this hop adds to a request of the client with this address; remembered."""
        if client != self._last_client:
            self._last_client, self._last_hop = client, self._hops(client)
        return self._last_hop

    def _hop(self, client: bytes) -> Hop:
        forwarded = self.plan.x_forwarded
        return Hop(via=self._via, client=client, forwarded=forwarded, tells_host=not self.is_proxy)

    def _judge(self, address: bytes, names: tuple[str, ...]) -> int:
        return self._translators.rules.rule_of(address.decode("ascii"), names)

    def rule_of(self, asker: Asker) -> int:
        """The number of the rule of trust for a peer; its connection's, and so remembered if it is short."""
        names = asker.names
        judge = self._judged if sum(map(len, names)) <= _REMEMBERED_NAMES_CHARACTERS else self._judge
        return judge(asker.address, names)

    def check(self, request: Request) -> None:
        """Check what applies to every request, wherever it goes. Raises Refusal."""
        if request.via and any(self.pseudonym in entry for entry in request.via):
            raise Refusal(Fault.LOOP, "the request loops: its Via shows that it was here before")
        if request.forwarded_for and sum(entry.count(b",") + 1 for entry in request.forwarded_for) > _MOST_HOPS:
            raise Refusal(Fault.LOOP, f"the request has been through more than {_MOST_HOPS} proxies already")
        if request.method in self._refused_methods:
            raise Refusal(Fault.METHOD_NOT_ALLOWED, f"{request.method.decode('latin-1')} is not served here")
        if request.max_forwards == 0 and request.method == b"TRACE":
            raise Refusal(Fault.METHOD_NOT_ALLOWED, "TRACE ends here, and the sidecar does not answer it")

    def route(self, request: Request) -> Route:
        """Where `request` goes, if there is no `only`. Raises Refusal."""
        authority = request.authority
        if not authority.host:
            raise Refusal(Fault.BAD_HOST, "the request names no host to send it to")
        return self._found(authority.host, authority.port or _DEFAULT_PORTS[request.scheme])

    def route_redirected(self, request: Request, original: Address) -> Route:
        """Where a redirected `request` goes, which may name no host."""
        authority = request.authority
        if not authority.host:
            return self._found(original.host, original.port)
        return self._found(authority.host, authority.port or _DEFAULT_PORTS[request.scheme])

    def upstream_plan(self, host: str, port: int) -> UpstreamPlan:
        """Where a tunnel goes."""
        return self.plan.router.route(host, port)
