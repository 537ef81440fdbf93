"""Connections to the app are kept, bounded, and closed when they have been idle for long (RFC 9112 9.3, 9.4)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from lab.messages import Message
from lab.peers import Client, Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire

from proxy.listener.upstreams import pools


def get(path: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n"


def test_one_connection_serves_many_clients(wire: Wire) -> None:
    """One after the other, they share it."""
    app = None
    for index in range(5):
        client = wire.client()
        client.send(get(b"/%d" % index))
        app = app or wire.accept()
        assert app.answer().target == b"/%d" % index
        assert client.response().status == 200
        client.close()
    wire.settle()
    assert not wire.upstream.has_caller()
    metrics = wire.sidecar.metrics.upstream("app")
    assert (metrics.connects, metrics.reused, metrics.connections_idle, metrics.connections_open) == (1, 4, 1, 1)


def test_parallel_requests_take_parallel_connections(wire: Wire) -> None:
    """No request waits for another while there is room; answers do not cross, whatever their order."""
    clients = [wire.client() for _ in range(4)]
    apps = {}
    for index, client in enumerate(clients):
        client.send(get(b"/%d" % index))
        app = wire.accept()
        apps[app.request().target] = app
    for path in sorted(apps, reverse=True):
        apps[path].reply(b"for " + path)
    assert [client.response().body for client in clients] == [b"for /%d" % index for index in range(4)]


def test_never_more_than_allowed(wired: Callable[..., Wire]) -> None:
    """`max_connections` holds; who waits is served first come, first served."""
    wire = wired({"pool": {"max_connections": 2}})
    clients = [wire.client() for _ in range(6)]
    for index, client in enumerate(clients):
        client.send(get(b"/%d" % index))
        wire.settle()
    apps = [wire.accept(), wire.accept()]
    assert not wire.upstream.has_caller()
    for turn in range(3):
        for app in apps:
            app.request()
        for app in apps:
            app.reply(b"turn %d" % turn)
        assert [clients[turn * 2 + side].response().body for side in (0, 1)] == [b"turn %d" % turn] * 2
    assert not wire.upstream.has_caller()


def test_idle_ones_are_closed(wired: Callable[..., Wire]) -> None:
    """After `idle_s` without a request."""
    wire = wired({"pool": {"idle_s": 0.2}})
    client = wire.client()
    client.send(get(b"/"))
    app = wire.accept()
    app.answer()
    client.response()
    assert app.is_ended()
    metrics = wire.sidecar.metrics.upstream("app")
    wire.sidecar.until(lambda: metrics.connections_open == 0)
    assert (metrics.idle_closed, metrics.connections_idle) == ({"timeout": 1}, 0)
    client.send(get(b"/again"))
    wire.upstream.answer(b"fresh")
    assert client.response().body == b"fresh"


def test_few_idle_ones_are_kept(wired: Callable[..., Wire]) -> None:
    """`max_idle` connections wait for more; the others are closed when they are done."""
    wire = wired({"pool": {"max_idle": 1}})
    clients = [wire.client() for _ in range(3)]
    apps = []
    for client in clients:
        client.send(get(b"/"))
        app = wire.accept()
        app.request()
        apps.append(app)
    for app in apps:
        app.reply()
    assert [client.response().status for client in clients] == [200] * 3
    wire.settle()
    assert sorted(app.is_silent() for app in apps) == [False, False, True]
    assert wire.sidecar.metrics.upstream("app").idle_closed == {"surplus": 2}


def test_a_waiting_request_survives_its_neighbours_end(wired: Callable[..., Wire]) -> None:
    """The connection that it waited for is closed by the app: it gets a new one."""
    wire = wired({"pool": {"max_connections": 1}})
    first, second = wire.client(), wire.client()
    first.send(get(b"/1"))
    app = wire.accept()
    app.request()
    second.send(get(b"/2"))
    wire.settle()
    app.reply(b"one", b"200 OK", b"Connection: close")
    app.close()
    assert first.response().body == b"one"
    assert wire.upstream.answer(b"two").target == b"/2"
    assert second.response().body == b"two"


def test_a_client_that_leaves_the_queue_frees_its_place(wired: Callable[..., Wire]) -> None:
    """Nothing is sent for a client that has gone while it waited."""
    wire = wired({"pool": {"max_connections": 1, "max_queue": 1}})
    first, leaver, third = wire.client(), wire.client(), wire.client()
    first.send(get(b"/1"))
    app = wire.accept()
    app.request()
    leaver.send(get(b"/gone"))
    wire.settle()
    leaver.reset()
    wire.settle()
    third.send(get(b"/3"))
    wire.settle()
    app.reply(b"one")
    assert first.response().body == b"one"
    assert app.answer(b"three").target == b"/3"
    assert third.response().body == b"three"


@pytest.mark.parametrize(("hint", "kept"), [(b"timeout=1", False), (b"timeout=60, max=9", True)])
def test_an_app_says_how_long_it_keeps_a_connection(wire: Wire, hint: bytes, kept: bool) -> None:
    """A second before that the connection serves no other request: the app might be closing it already."""
    client = wire.client()
    client.send(get(b"/1"))
    app = wire.accept()
    app.answer(b"one", b"200 OK", b"Keep-Alive: " + hint)
    assert client.response().head.value("keep-alive") is None
    client.send(get(b"/2"))
    (app if kept else wire.accept()).answer(b"two")
    assert client.response().body == b"two"


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_a_204_that_announces_content_ends_its_connection(wire: Wire, field: bytes) -> None:
    """RFC 9112 6.3: what such an app may send a moment later must not meet the next request."""
    client = wire.client()
    client.send(get(b"/1"))
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 204 No Content\r\n" + field + b"\r\n\r\n")
    assert client.response().status == 204
    assert app.is_ended()
    client.send(get(b"/2"))
    wire.accept().answer()
    assert client.response().status == 200


def warm(wire: Wire) -> Client:
    """A client whose exchange has left an idle connection in the pool."""
    client = wire.client()
    wire.exchange(client, get(b"/warm"))
    wire.settle()
    return client


@pytest.mark.parametrize("app_first", [False, True], ids=["request-first", "end-first"])
def test_an_idle_connection_whose_end_has_come_is_not_used(wire: Wire, app_first: bool) -> None:
    """In whichever order the end and the next request are found; and it is counted once."""
    client = warm(wire)
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"  # which is never sent twice
    with wire.sidecar.standstill():
        if app_first:
            wire.upstream.hang_up()
            client.send(request)
        else:
            client.send(request)
            wire.upstream.hang_up()
    assert wire.accept().answer().body == b"hi"
    assert client.response().status == 200
    metrics = wire.sidecar.metrics.upstream("app")
    wire.sidecar.until(lambda: metrics.connections_open == 1)
    assert (metrics.idle_closed, metrics.connections_idle) == ({"peer": 1}, 1)


def test_surplus_bytes_are_seen_before_a_connection_is_used_again(wire: Wire) -> None:
    """They are in the kernel when the next request comes, and would be taken for its answer."""
    client = wire.client()
    client.send(get(b"/1"))
    app = wire.accept()
    app.answer()
    assert client.response().status == 200
    wire.settle()
    with wire.sidecar.standstill():
        client.send(get(b"/2"))
        app.reply(b"poison")
    wire.accept().answer(b"ok")
    assert client.response().body == b"ok"
    assert wire.sidecar.metrics.upstream("app").idle_closed == {"surplus-bytes": 1}


def test_waiting_requests_do_not_wait_for_a_connection_that_failed(start: Callable[..., Sidecar]) -> None:
    """Each is answered by a try of its own, not by the timeout of the queue."""
    sidecar = start({"inbound": {"app": "http://127.0.0.1:1"}, "pool": {"max_connections": 1}})
    clients = [sidecar.client() for _ in range(3)]
    for client in clients:
        client.send(get(b"/"))
    assert [client.response().status for client in clients] == [502] * 3
    assert sidecar.metrics.upstream("app").connect_failures == {"connection-refused": 3}


# --- over a reload


def test_a_reload_keeps_the_connections_to_a_target_that_stays(wire: Wire) -> None:
    client = warm(wire)
    wire.sidecar.replace({"inbound": {"listen": LISTEN, "app": wire.upstream.url}, "outbound": {"listen": "off"}})
    wire.exchange(client, get(b"/"))
    assert wire.sidecar.metrics.upstream("app").connects == 1


def test_a_reload_lets_go_of_the_connections_to_a_target_that_goes(wire: Wire) -> None:
    warm(wire)
    metrics = wire.sidecar.metrics.upstream("app")
    assert metrics.connections_open == 1
    wire.sidecar.replace({"inbound": {"listen": LISTEN, "app": "http://127.0.0.1:1"}, "outbound": {"listen": "off"}})
    wire.sidecar.until(lambda: metrics.connections_open == 0)


# --- targets that requests name


def ask(sidecar: Sidecar, upstream: Upstream, listener: str = "outbound") -> Message:
    """One exchange with `upstream`, on a client's connection of its own."""
    client = sidecar.client(listener)
    client.send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\nConnection: close\r\n\r\n")
    upstream.answer()
    return client.response()


def test_the_table_of_named_targets_is_bounded(start: Callable[..., Sidecar], monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was idle for longest makes room; where all are in use, the client is told to come back."""
    monkeypatch.setattr(pools, "MAX_POOLS", 2)
    with closing(Upstream()) as a, closing(Upstream()) as b, closing(Upstream()) as c, closing(Upstream()) as d:
        sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}})
        metrics = sidecar.metrics.upstream("other")
        for upstream in (a, b, c, d):
            assert ask(sidecar, upstream).status == 200
        sidecar.until(lambda: metrics.connections_open == 2)
        assert metrics.connects == 4
        for upstream, connects in ((c, 4), (a, 5), (c, 5)):  # used once more, c stays, and d makes room for a
            assert ask(sidecar, upstream).status == 200
            assert metrics.connects == connects
        for upstream in (b, d):  # from here on two are busy
            sidecar.client("outbound").send(b"GET / HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n")
            upstream.busy().request()
        answer = sidecar.ask(b"GET / HTTP/1.1\r\nHost: " + c.authority + b"\r\n\r\n", "outbound")
        assert answer.status == 503
        assert answer.head.value("retry-after")
        assert metrics.queue_refused == {"hosts": 1}


def test_the_plans_own_targets_never_make_room(
    start: Callable[..., Sidecar], upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "MAX_POOLS", 1)
    sidecar = start({"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN}})
    for _ in range(3):
        assert ask(sidecar, upstream, "inbound").status == 200
        with closing(Upstream()) as other:
            assert ask(sidecar, other).status == 200
    assert sidecar.metrics.upstream("app").connects == 1
