"""A target that may speak HTTP/1.1 or HTTP/2: which pool gets a request, and for how long a refusal counts."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lab.pairs import Plane

from proxy.dataplane import either as module
from proxy.dataplane.either import either_pools
from proxy.plan import Address, PoolPlan, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.request import CALL, PROMPT
from proxy.transport.connector import Connector

pytestmark = pytest.mark.skipif(
    not cast(str, module.__file__).endswith(".py"), reason="what is compiled takes no stand-ins"
)


class Half:
    """The pool of one protocol. Notes what is asked of it."""

    def __init__(self, connector: Any, rest: tuple[Any, ...]) -> None:
        self.connector = connector
        self.rest = rest
        self.asked: list[tuple[Any, ...]] = []
        self.is_unused = self.is_idle = True
        self.sheds = False

    def __repr__(self) -> str:
        return "half"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: self.asked.append((name, *arguments))

    def shed(self) -> bool:
        self.asked.append(("shed",))
        return self.sheds

    def has_ready(self, pinned: object) -> bool:
        return pinned == "http1"

    async def wait_closed(self) -> None:
        self.asked.append(("wait_closed",))


class Case:
    """An upstream with both pools."""

    def __init__(self, scheme: str = "http", tls_http1: ssl.SSLContext | None = None) -> None:
        self.ticker = SimpleNamespace(now=1000.0)
        target = UpstreamTarget(cast(Any, scheme), Address("app", 80), tls_http1=tls_http1)
        self.connector = Connector(target, cast(Any, None), lambda ip, port: None)
        http2 = SimpleNamespace(pool=lambda connector, *rest: Half(connector, rest))
        make = either_pools(
            cast(Any, lambda connector, *rest: Half(connector, rest)), cast(Any, http2), cast(Any, self.ticker)
        )
        self.told = (PoolPlan(), object(), object())
        self.pool: Any = make(self.connector, *cast(Any, self.told))
        self.http1: Half = self.pool.http1
        self.http2: Half = self.pool.http2
        self.fall_back = self.http2.rest[-1]

    def asked(self, how: str, receiver: object) -> str:
        """Who gets `receiver`: a pool, or nobody."""
        for half in (self.http1, self.http2):
            half.asked.clear()
        getattr(self.pool, how)(receiver)
        found = [name for name in ("http1", "http2") if getattr(self, name).asked == [(how, receiver)]]
        return found[0] if found else "nobody"


class Asks:
    """A receiver."""

    def __init__(
        self, version: bytes = b"2.0", pace: int = PROMPT, *, upgrade: bytes = b"", binds_connection: bool = False
    ) -> None:
        self.request = SimpleNamespace(version=version, pace=pace, upgrade=upgrade, binds_connection=binds_connection)
        self.refusals: list[tuple[Fault, str]] = []

    def on_unconnected(self, refusal: Refusal) -> None:
        self.refusals.append((refusal.fault, refusal.detail))


GRPC = "gRPC needs HTTP/2 from end to end"


@pytest.mark.parametrize("how", ["acquire", "enqueue"])
@pytest.mark.parametrize(
    ("scheme", "asks", "who"),
    [
        ("http", Asks(b"1.1"), "http1"),
        ("http", Asks(b"2.0"), "http2"),
        ("https", Asks(b"1.1"), "http2"),
        ("https", Asks(b"2.0"), "http2"),
        ("https", Asks(b"1.1", upgrade=b"websocket"), "http1"),
        ("https", Asks(binds_connection=True), "http1"),
        ("http", Asks(upgrade=b"websocket"), "http1"),
        ("http", Asks(binds_connection=True), "http1"),
        ("http", Asks(pace=CALL), "http2"),
    ],
)
def test_which_protocol_a_request_is_sent_in(how: str, scheme: str, asks: Asks, who: str) -> None:
    assert Case(scheme).asked(how, asks) == who


@pytest.mark.parametrize("how", ["acquire", "enqueue"])
@pytest.mark.parametrize(("scheme", "kept_s"), [("http", 60.0), ("https", 300.0)])
def test_an_upstream_that_does_not_speak_http_2_is_asked_again(how: str, scheme: str, kept_s: float) -> None:
    """After a minute, or five where ALPN has said it. Until then it gets HTTP/1.1, and calls of gRPC are refused."""
    case = Case(scheme)
    first, call = Asks(), Asks(pace=CALL)
    case.fall_back.refused(first, Refusal(Fault.NO_HTTP2, "it said no"))
    assert case.http1.asked == [("acquire", first)]
    for passed_s in (0.0, kept_s - 0.1):
        case.ticker.now = 1000.0 + passed_s
        assert case.asked(how, Asks()) == "http1"
        assert case.asked(how, call) == "nobody"
        assert call.refusals.pop() == (Fault.NO_HTTP2, f"{GRPC}, and the upstream does not speak it")
    case.ticker.now = 1000.0 + kept_s
    assert case.asked(how, Asks()) == case.asked(how, call) == "http2"
    assert call.refusals == []


def test_a_call_is_told_why_there_is_no_http_2() -> None:
    """So are those that come after it."""
    case = Case()
    first, second = Asks(pace=CALL), Asks(pace=CALL)
    case.fall_back.refused(first, Refusal(Fault.NO_HTTP2, "it said no"))
    assert case.asked("acquire", second) == "nobody"
    assert first.refusals == second.refusals == [(Fault.NO_HTTP2, f"{GRPC}: it said no")]


async def test_both_pools_are_asked_as_one() -> None:
    case = Case()
    both = case.http1, case.http2
    assert repr(case.pool) == "<EitherPool half, half>"
    for half in both:
        half.is_unused = half.is_idle = False
        assert not case.pool.is_unused and not case.pool.is_idle
        half.is_unused = half.is_idle = True
    assert case.pool.is_unused and case.pool.is_idle
    assert case.pool.has_ready("http1") and not case.pool.has_ready("other")
    case.pool.give_up("receiver")
    case.pool.on_tick()
    case.pool.close()
    case.pool.abort()
    await case.pool.wait_closed()
    for half in both:
        assert half.asked == [("give_up", "receiver"), ("on_tick",), ("close",), ("abort",), ("wait_closed",)]
        half.asked.clear()
    case.pool.count_retry()
    case.pool.count_queue_timeout()
    assert (case.http1.asked, case.http2.asked) == ([("count_retry",), ("count_queue_timeout",)], []), "once"


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (False, False)])
def test_one_of_both_sheds_a_connection(first: bool, second: bool) -> None:
    case = Case()
    case.http1.sheds, case.http2.sheds = first, second
    assert case.pool.shed() is (first or second)
    assert ("shed",) in case.http1.asked
    assert (("shed",) in case.http2.asked) is not first


@pytest.mark.parametrize("has_context", [True, False])
def test_http_1_alone_offers_no_http_2(has_context: bool) -> None:
    """In ALPN. Both pools are of the same upstream, by the same plan and metrics."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if has_context else None
    case = Case("https", context)
    assert case.http2.connector is case.connector
    assert (case.http1.connector is case.connector) is not has_context
    assert case.http1.connector.target.tls is context
    assert case.http1.rest == case.http2.rest[:3] == case.told


async def test_a_connection_that_turns_out_to_speak_http_1_is_used() -> None:
    """The pool of HTTP/2 has made it, and ALPN has said so."""
    plane = Plane()
    case = Case("https")
    made = plane.pool.new_protocol()
    case.http1.new_protocol = lambda alpn: made if alpn == "http/1.1" else None  # type: ignore[attr-defined] - a stand-in
    assert case.fall_back.new_protocol("http/1.1") is made
    assert case.fall_back.is_lost(made) is False
    case.fall_back.adopt(made)
    assert case.http1.asked == [("adopt", made)]
    made.connection_lost(None)
    assert case.fall_back.is_lost(made) is True
