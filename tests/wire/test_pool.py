"""Connections to the app are kept, bounded, and closed when they have been idle for long (RFC 9112 9.3, 9.4)."""

from __future__ import annotations

from collections.abc import Callable

from lab.wire import Wire


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


def test_a_pause_ends_with_its_exchange(wire: Wire) -> None:
    """A client that is slow to take the last bytes of an answer pauses the app's connection; who uses it next is not
    paused."""
    for size in range(300_000, 8_000_000, 50_000):
        slow = wire.client()
        slow.send(get(b"/slow"))
        app = wire.upstream.busy()
        app.request()
        app.sock.settimeout(0.3)
        try:
            app.reply(bytes(size))
        except TimeoutError:
            return  # more than can stand between the two: every smaller size has been tried
        app.sock.settimeout(5)
        wire.sidecar.settle(100)
        assert len(slow.response().body) == size
        slow.close()
        quick = wire.client()
        quick.send(get(b"/quick"))
        wire.upstream.answer(b"quick")
        assert quick.response().body == b"quick", f"hangs after an answer of {size} bytes"
        quick.close()
