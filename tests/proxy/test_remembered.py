"""What is remembered of what peers send: bounded in bytes, however long the keys are.

Every cache of the sources is named in CACHES, a new one is found.
Then a listener's memory is walked, filled with the largest keys that it takes.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab.pairs import Plane
from lab.transports import FakeTransport

from ops_lib.capture.scrubbing import is_secret
from ops_lib.propagation import FORMATS, Propagator
from proxy.dataplane.either import either_pools
from proxy.http1.kept_connection import HeldRequests
from proxy.http1.message import grammar
from proxy.http1.message import response as response_module
from proxy.http1.pool import connection_pools
from proxy.http2.engine.budgets import budgets
from proxy.http2.serving import Http2
from proxy.listener.upstreams.pools import EITHER, Pools
from proxy.plan import Clients, PoolPlan, PropagationPlan
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.report.exchange import NOTHING_RARE, ExchangeEncoder, Shared
from proxy.translate import Translator
from proxy.transport.deadlines import Ticker
from proxy.transport.descriptors import Descriptors
from proxy.transport.outbox import Outbox

ROOT = Path(__file__).parents[2]
KIB = 1024
MIB = 1024 * KIB
WHOLE_SIDECAR = 3 * MIB  # of one listener: names, hosts, routes, clients, shapes
IDLE_CONNECTION = 12 * KIB

# Every cache of the sources by its size and its longest key. Whoever adds one says here what bounds its keys.
CACHES = {
    "proxy.http1.message.response: _read_start": "256 of 64 bytes: read_start looks first",
    "proxy.http2.engine.budgets: lambda": "1024 IP addresses, with the limits of plans",
    "proxy.kubernetes.configuration: read": "256 of 4096 characters: configure looks first",
    "proxy.listener.app_calls.rereading: _reader": "16 plans",
    "proxy.listener.client_bounds: self._judge": "1024 IP addresses",
    "proxy.listener.listener_rules: parse_authority": "1024 of 260 bytes: ListenerRules.parse_authority looks first",
    "proxy.listener.listener_rules: self._find": "1024 of 254 characters, as authorities are",
    "proxy.listener.listener_rules: self._hop": "1024 IP addresses",
    "proxy.listener.listener_rules: self._judge": "1024 IP addresses with 256 characters: rule_of looks first",
    "proxy.settings.problems: all_keys": "one",
    "ops_lib.capture.render: _encoder": "one",
    "ops_lib.capture.scrubbing: _pattern": "names of ours",
    "ops_lib.capture.scrubbing: _role": "1024 of 64 characters: role looks first",
    "ops_lib.capture.shapes: _pattern": "names of ours",
    "ops_lib.configuration: _shut_down_at_exit": "one",
}
CACHING = {"cache", "lru_cache"}  # of functools, under their own names


def size_of(*roots: object, but: tuple[object, ...] = ()) -> int:
    """Bytes of all that can be reached from `roots`, but for code, modules, loops, sockets and `but`."""
    seen = set(map(id, but))
    total, left = 0, list(roots)
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, NOT_COUNTED):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        left += gc.get_referents(thing)
    return total


NOT_COUNTED = (type, types.ModuleType, types.FunctionType, types.CodeType, asyncio.AbstractEventLoop, FakeTransport)


def caches(text: str) -> Iterator[str]:
    """What a module of this source text caches: the names of decorated functions, and what is given to a cache."""
    tree = ast.parse(text)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in parents:
        if isinstance(node, ast.alias) and node.name in CACHING:
            assert node.asname is None, f"{node.name} has another name"
        if (
            not isinstance(node, ast.Name | ast.Attribute)
            or getattr(node, "id", getattr(node, "attr", "")) not in CACHING
        ):
            continue
        made: ast.AST = node  # functools.cache, lru_cache(256), lru_cache(256)(function)
        while isinstance(call := parents[made], ast.Call) and call.func is made:
            made = call
        user = parents[made]
        if isinstance(user, ast.FunctionDef | ast.AsyncFunctionDef) and made in user.decorator_list:
            yield user.name
        else:
            assert isinstance(made, ast.Call) and len(made.args) == 1, ast.unparse(user)
            [cached] = made.args
            yield "lambda" if isinstance(cached, ast.Lambda) else ast.unparse(cached)


def test_every_cache_is_known() -> None:
    found = {
        f"{'.'.join(file.relative_to(ROOT).with_suffix('').parts)}: {cached}"
        for package in ("proxy", "ops_lib")
        for file in (ROOT / package).rglob("*.py")
        for cached in caches(file.read_text(encoding="utf-8"))
    }
    assert found == CACHES.keys(), "say in CACHES what bounds the keys"


@pytest.mark.parametrize(
    ("text", "cached"),
    [
        ("@cache\ndef f(): ...", "f"),
        ("@functools.lru_cache(8)\ndef f(): ...", "f"),
        ("class C:\n    def __init__(self):\n        self.a = lru_cache(8)(self._a)", "self._a"),
        ("def f():\n    return functools.cache(lambda key: key)", "lambda"),
        ("found = lru_cache(maxsize=None)(find)", "find"),
    ],
)
def test_a_new_cache_is_found(text: str, cached: str) -> None:
    assert list(caches(text)) == [cached]


def request(host: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"GET / HTTP/1.1", b"Host: " + host, *lines, b"", b""])


def response(line: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([line, b"Content-Length: 0", *lines, b"", b""])


def ask(plane: Plane, head: bytes, address: str = "127.0.0.1") -> None:
    [pair] = plane.pairs(1, address)
    pair.client.data_received(head)
    pair.upstream.data_received(response(OK))
    pair.client.connection_lost(None)
    pair.upstream.connection_lost(None)


def answer(plane: Plane, head: bytes) -> None:
    [pair] = plane.pairs(1)
    pair.client.data_received(request(b"a"))
    pair.upstream.data_received(head)
    pair.client.connection_lost(None)
    pair.upstream.connection_lost(None)


def token(number: int, length: int) -> bytes:
    return (b"%d-" % number).ljust(length, b"a")


def names(number: int) -> list[bytes]:
    """Twenty fields whose names are new."""
    return [token(20 * number + n, 64) + b": 1" for n in range(20)]


def spelled(number: int, name: bytes) -> bytes:
    """`name` in another mix of upper and lower case for each number."""
    return bytes(byte ^ 32 if 97 <= byte | 32 <= 122 and number >> at & 1 else byte for at, byte in enumerate(name))


OK = b"HTTP/1.1 200 OK"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n"
B3 = b"x-b3-traceid", b"x-b3-spanid", b"x-b3-sampled", b"x-b3-parentspanid", b"x-mirascope-session-id"

# Each kind, by the largest key that is remembered, and by one that is far too long.
HOSTILE: dict[str, tuple[int, Callable[[Plane, int], None]]] = {
    "names": (51, lambda plane, n: ask(plane, request(b"a", *names(n)))),
    "long names": (200, lambda plane, n: ask(plane, request(b"a", token(n, 60_000) + b": 1"))),
    "hosts": (2500, lambda plane, n: ask(plane, request(token(n, 254) + b":65535"))),
    "long hosts": (200, lambda plane, n: ask(plane, request(token(n, 60_000)))),
    "malformed hosts": (2500, lambda plane, n: ask(plane, request(token(n, 254) + b"/"))),
    "clients": (2500, lambda plane, n: ask(plane, request(b"a"), f"fd00:1111:2222:3333:4444:5555:6666:{n:04x}")),
    "trace names": (1000, lambda plane, n: ask(plane, request(b"a", *[spelled(n, name) + b": 1" for name in B3]))),
    "baggage names": (1000, lambda plane, n: ask(plane, request(b"a", b"uberctx-" + token(n, 240) + b": 1"))),
    "many trace names": (600, lambda plane, n: ask(plane, request(b"a", *[spelled(n, b"b3") + b": 1"] * 90))),
    "status lines": (600, lambda plane, n: answer(plane, response(b"HTTP/1.1 200 " + token(n, 51)))),
    "long status lines": (300, lambda plane, n: answer(plane, response(b"HTTP/1.1 200 " + token(n, 8000)))),
    "lengths": (2000, lambda plane, n: answer(plane, NOT_MODIFIED % (n + 10**17))),
    "response names": (51, lambda plane, n: answer(plane, response(OK, *names(n)))),
    "long response names": (200, lambda plane, n: answer(plane, response(OK, token(n, 60_000) + b": 1"))),
}  # fmt: skip


async def test_what_peers_send_is_remembered_within_a_bound() -> None:
    """All kinds one after another, on one listener; the total is bounded, and so is each kind's share."""
    plane = Plane(names=("*.internal",), clients=Clients(max_connections=100, max_exchanges=100))
    ask(plane, request(b"a"))
    shares: dict[str, int] = {}
    start = before = size_of(plane, response_module._known_start, grammar._lengths)
    for kind, (times, send) in HOSTILE.items():
        for number in range(times):
            send(plane, number)
        await asyncio.sleep(0)  # the outbox lets go of what it wrote
        after = size_of(plane, response_module._known_start, grammar._lengths)
        shares[kind], before = after - before, after
    assert before - start < WHOLE_SIDECAR, shares
    assert all(share < 64 * KIB for kind, share in shares.items() if kind.startswith("long")), shares


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"X-%d: " % n + b"v" * 240 for n in range(30)], id="as many and as long as are remembered"),
        pytest.param([b"a" * 60_000 + b": 1"], id="a long name"),
        pytest.param([b"%d" % n + b"a" * 1900 + b": 1" for n in range(30)], id="long names"),
        pytest.param([b"X-%d: " % n + b"v" * 1900 for n in range(30)], id="long values"),
        pytest.param([b"Via: " + b"v" * 240] * 30, id="fields with a meaning"),
    ],
)
async def test_an_idle_connection_remembers_little(lines: list[bytes]) -> None:
    """Of a client, and of an upstream, that sends the same head again and again."""
    plane = Plane()
    [fresh, pair] = plane.pairs(2)
    for _ in range(5):
        pair.client.data_received(request(b"a", *lines))
        pair.upstream.data_received(response(OK, *lines))
    await asyncio.sleep(0)
    around = (
        plane.listener,
        plane.listener.rules,
        plane.listener.rules.kinds,
        plane.pool,
        plane.pool._kinds,
        plane.ticker,
    )
    for idle, used in ((fresh.client, pair.client), (fresh.upstream, pair.upstream)):
        grown = size_of(used, but=around) - size_of(idle, but=around)
        assert grown < IDLE_CONNECTION, grown


def test_lengths_are_remembered_within_a_bound() -> None:
    for number in range(2000):
        assert grammar.read_length(b"%d" % number) == number
    assert len(grammar._lengths) <= 512


async def test_targets_that_requests_name_are_remembered_within_a_bound() -> None:
    ticker, descriptors = Ticker(asyncio.get_running_loop()), Descriptors()
    http1 = connection_pools(
        ticker, Outbox(asyncio.get_running_loop()), HeldRequests(asyncio.get_running_loop()), descriptors
    )
    either = either_pools(http1, Http2(ticker, descriptors), ticker)
    pools = Pools({EITHER: either}, Metrics(), lambda _ip, _port: "")
    before = size_of(pools)
    for number in range(1500):
        pools.named_by_request("other", "http", token(number, 254).decode(), 80, PoolPlan())
    assert size_of(pools) - before < 8 * MIB  # a pool for each protocol


def test_resets_of_clients_are_remembered_within_a_bound() -> None:
    """HTTP/2 streams that clients have taken back, by address."""
    left = budgets()
    for number in range(3000):
        assert left(b"fd00:1111:2222:3333:4444:5555:6666:%04x" % number, 100, 30).spend(0.0)
    assert size_of(left) < 512 * KIB


def test_the_library_remembers_names_within_a_bound() -> None:
    """Of carriers of every kind, in the largest sets and with the longest names that it remembers."""
    propagator = Propagator(extract=FORMATS, inject=FORMATS)
    before = size_of(propagator)
    sets = [[token(100 * number + n, 15).decode() for n in range(64)] for number in range(1000)]
    for some in sets:
        propagator.read(dict.fromkeys(some, "1"))
        propagator.read([(name, "1") for name in some])
        propagator.read([(name.encode(), b"1") for name in some])
        propagator.read(dict.fromkeys([*(name[:-8] for name in some), "b3"], "1"))
    for number in range(300):
        propagator.read({token(number, 60_000).decode(): "1"})
        propagator.read({token(64 * number + n, 900).decode(): "1" for n in range(64)})
    for number in range(3000):
        propagator.read({token(number, 64).decode(): "1", f"uberctx-{number}": "1"})
    assert size_of(propagator) - before < 6 * MIB


def test_names_of_secrets_are_remembered_within_a_bound() -> None:
    from ops_lib.capture import scrubbing

    before = size_of(scrubbing._known_role)
    for number in range(3000):
        is_secret(token(number, 64).decode())
        is_secret(token(number, 10_000).decode())
    assert size_of(scrubbing._known_role) - before < 512 * KIB


@pytest.mark.parametrize(("number", "length", "most"), [(3000, 100, 1 * MIB), (50, 60_000, 64 * KIB)])
def test_what_is_reported_is_remembered_within_a_bound(number: int, length: int, most: int) -> None:
    """512 hosts, methods and agents, and 512 lists of names, of 512 characters at most."""
    encoder = ExchangeEncoder()
    for one in range(number):
        chosen = token(one, length)
        shared = Shared(True, "", "", "", "", chosen, b"", 200, "", "", "", "", "", False, b"")
        encoder.encode(
            shared, NOTHING_RARE, request_id=b"", path=b"", duration_ns=0, end_ns=0, context=None, parent=b"",
            session=None, came=(), went=(), others=(chosen,), added=(), timing=None, answered=(),
        )  # fmt: skip
    assert size_of(encoder) < most


@pytest.mark.parametrize(("number", "length"), [(3000, 60), (50, 60_000)])
def test_names_that_translators_look_up_are_remembered_within_a_bound(number: int, length: int) -> None:
    """256 sets of names of 256 characters at most."""
    made = Translator(PropagationPlan(extract=FORMATS[:1], inject=FORMATS[:1]))
    before = size_of(made)
    for one in range(number):
        name = b"uberctx-" + token(one, length)
        assert made.formats_of((name,)) == made.unread([(name, b"1"), (b"b3", b"1")]).replace("b3?", "") == ""
    assert size_of(made) - before < 256 * KIB
