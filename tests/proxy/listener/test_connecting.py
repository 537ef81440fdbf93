"""CONNECTs that wait for their upstream: who is waited for, and what is given back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy.listener import connecting as module
from proxy.listener.connecting import Connecting
from proxy.plan import Address
from proxy.semantics.faults import Fault, Refusal
from proxy.transport.descriptors import Descriptors

pytestmark = pytest.mark.skipif(
    not cast(str, module.__file__).endswith(".py"), reason="compiled functions take no stand-ins"
)


class Slow:
    """A connector that says when it was stopped, some turns after it was told to."""

    def __init__(self) -> None:
        self.ended = False

    async def connect(self, *_: Any, **__: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            self.ended = True


def rules(*, connect: bool = True) -> Any:
    timeouts = SimpleNamespace(connect_s=1.0, tunnel_idle_s=1.0)
    upstream = SimpleNamespace(name="other", target=None, pool=None, timeouts=timeouts)
    plan = SimpleNamespace(connect=connect, limits=SimpleNamespace(buffer_bytes=65_536))
    return SimpleNamespace(plan=plan, upstream_plan=lambda host, port: upstream)


def lab(slow: Slow, most: int = 10) -> tuple[Connecting, Descriptors, list[Any]]:
    descriptors, over = Descriptors(), cast(list[Any], [])
    pools = SimpleNamespace(connector=lambda *_: slow, shed=lambda: False)
    descriptors.most = most
    return Connecting(cast(Any, pools), descriptors, over.append), descriptors, over


async def test_its_end_waits_for_each_of_them() -> None:
    slow, asker = Slow(), cast(Any, object())
    connecting, descriptors, over = lab(slow)
    connecting.begin_to(rules(), asker, Address("a", 1))
    assert (len(connecting), descriptors.upstreams) == (1, 1)
    await asyncio.sleep(0)
    connecting.abort()
    await connecting.wait_closed()
    assert slow.ended
    await asyncio.sleep(0)
    assert (len(connecting), descriptors.upstreams, over) == (0, 0, [asker])


async def test_one_that_is_given_up_is_alone() -> None:
    slow, (one, other) = Slow(), (cast(Any, object()), cast(Any, object()))
    connecting, _, over = lab(slow)
    for asker in (one, other):
        connecting.begin_to(rules(), asker, Address("a", 1))
    await asyncio.sleep(0)
    connecting.give_up(one)
    connecting.give_up(cast(Any, object()))  # nobody's
    for _ in range(10):
        await asyncio.sleep(0)
    assert over == [one]
    assert len(connecting) == 1
    connecting.abort()
    await connecting.wait_closed()


class Dialled:
    """A connector that gives this connection at once."""

    def __init__(self, *, is_lost: bool) -> None:
        self.is_lost = is_lost
        self.asked: list[tuple[float, bool]] = []

    async def connect(self, make: Any, timeout_s: float, *, tls: bool) -> Any:
        self.asked.append((timeout_s, tls))
        far = make("")
        far.is_lost = self.is_lost
        return far


class Asking:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def refuse(self, refusal: Refusal) -> None:
        self.told.append((refusal.fault, refusal.detail))

    def connected(self, far: Any, idle_s: float) -> None:
        self.told.append((far.is_lost, idle_s))


LOST = Fault.CONNECTION_LOST, "the upstream closed the connection at once"


@pytest.mark.parametrize(("is_lost", "told", "held"), [(False, (False, 1.0), 1), (True, LOST, 0)])
async def test_what_was_connected_is_given_away_unless_it_is_lost_by_then(
    is_lost: bool, told: object, held: int
) -> None:
    """Its place among the descriptors goes with it. TLS is the client's own, through the tunnel."""
    dialled, asking = Dialled(is_lost=is_lost), Asking()
    connecting, descriptors, over = lab(cast(Any, dialled))
    connecting.begin_to(rules(), cast(Any, asking), Address("a", 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asking.told == [told]
    assert (over, len(connecting), descriptors.upstreams) == ([asking], 0, held)
    assert dialled.asked == [(1.0, False)]


@pytest.mark.parametrize(
    ("connect", "body", "port", "fault", "text"),
    [
        (False, False, 443, Fault.METHOD_NOT_ALLOWED, "CONNECT is not served here"),
        (True, True, 443, Fault.BAD_FRAMING, "CONNECT has no body"),
        (True, False, 0, Fault.BAD_TARGET, "the target of CONNECT is host:port"),
    ],
)
async def test_what_is_refused(connect: bool, body: bool, port: int, fault: Fault, text: str) -> None:
    connecting, _, _ = lab(Slow())
    request = cast(Any, SimpleNamespace(has_body=body, authority=("a", port)))
    with pytest.raises(Refusal) as caught:
        connecting.begin(rules(connect=connect), cast(Any, object()), request)
    assert (caught.value.fault, caught.value.detail) == (fault, text)
    assert len(connecting) == 0


async def test_the_last_descriptor_may_be_used() -> None:
    connecting, descriptors, _ = lab(Slow(), most=1)
    connecting.begin_to(rules(), cast(Any, object()), Address("a", 1))
    with pytest.raises(Refusal) as caught:
        connecting.begin_to(rules(), cast(Any, object()), Address("a", 1))
    assert (caught.value.fault, caught.value.detail) == (
        Fault.QUEUE_FULL,
        "no file descriptor is left for this tunnel",
    )
    assert descriptors.upstreams == 1
    connecting.abort()
    await connecting.wait_closed()
