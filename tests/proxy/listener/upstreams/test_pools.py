"""The pools of all targets: one for each, few for what requests name, and how they are let go."""

from __future__ import annotations

from typing import Any, cast

import pytest

from proxy.listener.upstreams import pools as module
from proxy.listener.upstreams.pools import EITHER, HTTP_1_1, HTTP_2, Pools
from proxy.plan import Address, PoolPlan, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.telemetry.metrics import Metrics
from proxy.transport.connector import Connector

if not cast(str, module.__file__).endswith(".py"):
    pytest.skip("what is compiled takes no stand-ins", allow_module_level=True)


class Told:
    """A pool that writes down what it is told."""

    is_idle = is_unused = True

    def __init__(self, protocol: str, connector: Connector) -> None:
        self.protocol, self.connector = protocol, connector
        self.told: list[str] = []
        self.sheds = False

    def shed(self) -> bool:
        self.told.append("shed")
        return self.sheds

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")

    def on_tick(self) -> None:
        self.told.append("tick")

    async def wait_closed(self) -> None:
        self.told.append("closed")


class Case:
    """Pools, and those that were made."""

    def __init__(self) -> None:
        self.made: list[Told] = []
        self.metrics = Metrics()
        factories: Any = {protocol: self._factory(protocol) for protocol in (HTTP_1_1, HTTP_2, EITHER)}
        self.pools = Pools(factories, self.metrics, lambda _ip, _port: "")

    def _factory(self, protocol: str) -> Any:
        def make(connector: Connector, *_: object) -> Told:
            self.made.append(Told(protocol, connector))
            return self.made[-1]

        return make

    def named(self, host: str, scheme: str = "http", port: int = 0, **plan: Any) -> Told:
        return cast(Told, self.pools.named_by_request("other", scheme, host, port, PoolPlan(**plan)))


@pytest.mark.parametrize(("http2", "protocol"), [("never", HTTP_1_1), ("always", HTTP_2), ("auto", EITHER)])
def test_each_target_has_one_pool_in_the_protocol_of_the_plan(http2: Any, protocol: str) -> None:
    case, target = Case(), UpstreamTarget("http", Address("a.test", 80))
    plan = PoolPlan(http2=http2)
    one = case.pools.pool("a", target, plan)
    assert case.pools.pool("a", target, plan) is one
    assert case.pools.pool("b", target, plan) is not one
    assert [made.protocol for made in case.made] == [protocol] * 2
    assert repr(case.pools) == "<Pools 2, 0 closing>"


@pytest.mark.parametrize(
    ("scheme", "port", "http2", "url", "offers"),
    [
        ("http", 0, "auto", "http a.test:80", (False, False)),
        ("http", 81, "auto", "http a.test:81", (False, False)),
        ("https", 0, "auto", "https a.test:443", (True, True)),
        ("https", 444, "never", "https a.test:444", (True, False)),
        ("https", 0, "always", "https a.test:443", (True, False)),
    ],
)
def test_a_target_that_a_request_names(scheme: str, port: int, http2: str, url: str, offers: tuple[bool, bool]) -> None:
    """With TLS by the system's certificates; where both protocols are offered, one without HTTP/2 is there as well."""
    case = Case()
    pool = case.named("a.test", scheme, port, http2=http2)
    target = pool.connector.target
    assert f"{target.scheme} {target.address}" == url
    assert (target.tls is not None, target.tls_http1 is not None) == offers
    assert target.server_name == ("a.test" if scheme == "https" else "")
    assert case.named("a.test", scheme, port, http2=http2) is pool


def test_the_pool_that_was_not_asked_for_longest_makes_room() -> None:
    case = Case()
    pools = [case.named(f"{number}.test") for number in range(1024)]
    assert case.named("0.test") is pools[0]
    case.named("more.test")
    assert [number for number, pool in enumerate(pools) if pool.told] == [1]
    assert pools[1].told == ["close"]
    assert repr(case.pools) == "<Pools 1024, 1 closing>"
    assert case.named("1.test") is not pools[1]
    assert pools[2].told == ["close"]
    case.pools.on_tick()
    assert (pools[1].told, pools[0].told) == (["close"], ["tick"])
    assert repr(case.pools) == "<Pools 1024, 0 closing>"
    for pool in case.made:
        pool.is_idle = False
    with pytest.raises(Refusal) as refused:
        case.named("one.too.many.test")
    assert (refused.value.fault, refused.value.detail) == (Fault.QUEUE_FULL, "connections to 1024 hosts are in use")
    assert case.metrics.upstream("other").queue_refused == {"hosts": 1}


def test_a_name_that_leads_elsewhere_is_counted_for_its_upstream() -> None:
    """Whether its connections are kept in a pool or made one by one, for CONNECT."""
    case, target = Case(), UpstreamTarget("http", Address("a.test", 80))
    case.pools.connector("up", target, PoolPlan())._on_moved()
    assert case.metrics.upstream("up").moved == 1
    pool = cast(Told, case.pools.pool("up", target, PoolPlan()))
    pool.connector._on_moved()
    assert (case.metrics.upstream("up").moved, case.metrics.upstream("other").moved) == (2, 0)


def test_an_idle_connection_of_any_pool_makes_room() -> None:
    case = Case()
    assert case.pools.shed() is False
    pools = [case.named(f"{number}.test") for number in range(3)]
    assert case.pools.shed() is False
    pools[1].sheds = True
    assert case.pools.shed() is True
    assert [len(pool.told) for pool in pools] == [2, 2, 1]


async def test_what_a_new_plan_does_not_want_is_closed_and_the_end_waits_for_all() -> None:
    case, plan = Case(), PoolPlan()
    targets = [UpstreamTarget("http", Address(f"{name}.test", 80)) for name in "ab"]
    kept, gone = (cast(Told, case.pools.pool("up", target, plan)) for target in targets)
    named, gone.is_unused = case.named("c.test"), False
    case.pools.keep_only({("up", targets[0], plan)}, {"other"})
    assert (kept.told, gone.told, named.told) == ([], ["close"], [])
    case.pools.keep_only({("up", targets[0], plan)}, set())
    assert named.told == ["close"]
    assert case.named("c.test") is not named
    case.pools.on_tick()
    await case.pools.stop()
    assert kept.told == ["tick", "abort", "closed"]
    assert gone.told == ["close", "abort", "closed"]
    assert named.told == ["close"]
