"""Where a listener's rules send a request, and in which format: by its authority, or always to the same upstream."""

from __future__ import annotations

from typing import Any

from ops_lib.propagation import FORMATS, Format
from proxy.plan import PropagationPlan, Router, UpstreamPlan


class ByHost(Router):
    """The real router is tested elsewhere."""

    def __init__(self, default: UpstreamPlan, hosts: dict[str, UpstreamPlan]) -> None:
        super().__init__(default)
        self._hosts = hosts
        self._last = default

    def route(self, host: str, port: int) -> UpstreamPlan:
        return self._hosts.get(host, self._last)

    def upstreams(self) -> tuple[UpstreamPlan, ...]:
        return (*self._hosts.values(), self._last)


async def test_host_decides_upstream_and_format(lab: Any) -> None:
    """Way 2; two upstreams that speak different formats, behind one listener."""
    billing, orders = await lab.origin(), await lab.origin()
    router = ByHost(
        lab.upstream(None, "other"),
        {
            "billing": lab.upstream(billing, "billing", propagation=PropagationPlan(FORMATS, (Format.JAEGER,))),
            "orders": lab.upstream(
                orders, "orders", propagation=PropagationPlan(FORMATS, (Format.B3,), session_inject="X-S")
            ),
        },
    )
    sidecar = await lab.sidecar(lab.outbound(router))
    fields = b"b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1\r\nX-S: mine\r\nConnection: close\r\n\r\n"
    await sidecar.ask(b"GET / HTTP/1.1\r\nHost: Billing\r\n" + fields, "outbound")
    await sidecar.ask(b"GET / HTTP/1.1\r\nHost: orders:80\r\n" + fields, "outbound")
    assert b"\r\nuber-trace-id: 463ac35c9f6413ad48485a3953bb6124:a2fb4a1d1a96d312:0:1\r\n" in billing.requests[0]
    assert b"\r\nX-S: mine\r\n" in billing.requests[0], "a header that only the other's translator owns passes"
    assert b"\r\nb3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1\r\n" in orders.requests[0]
    assert sidecar.metrics.exchange("outbound", "billing").translation.injected == {"jaeger": 1}


async def test_a_dedicated_listener_ignores_the_authority(lab: Any) -> None:
    """Way 3."""
    origin = await lab.origin()
    sidecar = await lab.sidecar(
        lab.outbound(Router(lab.upstream(origin, "billing")), fixed_upstream=True, name="billing")
    )
    await sidecar.ask(b"GET http://elsewhere:1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "billing")
    assert origin.requests[0].startswith(b"GET / HTTP/1.1\r\nHost: elsewhere:1\r\n")


async def test_outbound_without_a_host_cannot_be_routed(lab: Any) -> None:
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other"))))
    assert (await sidecar.ask(b"GET / HTTP/1.0\r\n\r\n", "outbound")).startswith(b"HTTP/1.1 400 ")
