"""CONNECT: from a request to a connection that its tunnel will go through.

May know the plan, the pools' connectors, and the asker.
Must not know any protocol.
Only this part of a listener has tasks: its owner aborts it, and waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from proxy.listener.listener_rules import ListenerRules
from proxy.listener.sides import Asker
from proxy.listener.upstreams.pools import Pools
from proxy.plan import Address, UpstreamPlan, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.request import Request
from proxy.transport.descriptors import Descriptors, Place
from proxy.transport.tunnel import FarEnd


class Connecting:
    """The CONNECTs of one listener that wait for their upstream."""

    def __init__(self, pools: Pools, descriptors: Descriptors, on_over: Callable[[Asker], None]) -> None:
        """`on_over`: one of them waits no longer."""
        self._pools = pools
        self._descriptors = descriptors
        self._on_over = on_over
        self._tasks: dict[Asker, asyncio.Task[bool]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, rules: ListenerRules, asker: Asker, request: Request) -> None:
        """Connect, and give the connection to `asker`, or refuse it. Raises Refusal if the plan allows no tunnel."""
        if not rules.plan.connect:
            raise Refusal(Fault.METHOD_NOT_ALLOWED, "CONNECT is not served here")
        if request.has_body:
            raise Refusal(Fault.BAD_FRAMING, "CONNECT has no body")
        host, port = request.authority
        if not port:
            raise Refusal(Fault.BAD_TARGET, "the target of CONNECT is host:port")
        self.begin_to(rules, asker, Address(host, port))

    def begin_to(self, rules: ListenerRules, asker: Asker, address: Address) -> None:
        """The same, for a connection whose client has been redirected, and does not know. Raises Refusal."""
        upstream = rules.upstream_plan(address.host, address.port)
        if self._descriptors.upstreams >= self._descriptors.most and not self._pools.shed():
            raise Refusal(Fault.QUEUE_FULL, "no file descriptor is left for this tunnel")
        place = Place(self._descriptors)
        make = partial(FarEnd, rules.plan.limits.buffer_bytes, place.free)
        task = asyncio.get_running_loop().create_task(self._connect(asker, upstream, address, make))
        self._tasks[asker] = task
        task.add_done_callback(partial(self._over, asker, place))  # also if cancelled before it begins

    def _over(self, asker: Asker, place: Place, task: asyncio.Task[bool]) -> None:
        del self._tasks[asker]
        if task.cancelled() or task.exception() is not None or not task.result():
            place.free()  # otherwise the far end does, when it is lost
        self._on_over(asker)

    def give_up(self, asker: Asker) -> None:
        """Stop waiting for it."""
        task = self._tasks.get(asker)
        if task is not None:
            task.cancel()

    async def _connect(
        self, asker: Asker, upstream: UpstreamPlan, address: Address, make: Callable[[], FarEnd]
    ) -> bool:
        """Whether a connection was made."""
        target = upstream.target or UpstreamTarget("http", address)
        connector = self._pools.connector(upstream.name, target, upstream.pool)
        try:
            # Without TLS: the client speaks it itself, through the tunnel.
            far = await connector.connect(lambda _alpn: make(), upstream.timeouts.connect_s, tls=False)
            if far.is_lost:  # before we heard of it
                raise Refusal(Fault.CONNECTION_LOST, "the upstream closed the connection at once")
        except Refusal as refusal:
            asker.refuse(refusal)
            return False
        asker.connected(far, upstream.timeouts.tunnel_idle_s)
        return True

    def abort(self) -> None:
        """Stop waiting for all of them."""
        for task in self._tasks.values():
            task.cancel()

    async def wait_closed(self) -> None:
        """Until their tasks have ended."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
