"""A reload in which an address stays and the listener's name does not: the socket is taken over, with all who came in
by it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from lab.messages import Message
from lab.peers import Client, Upstream
from lab.process import SidecarProcess
from lab.sidecar import LISTEN, Settings, Sidecar, connect

from proxy.errors import StartError
from proxy.plan import Address

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OFF: Settings = {"inbound": {"listen": "off"}, "outbound": {"listen": "off"}, "admin": {"listen": "off"}}


def named(name: str, upstream: Upstream, listen: str = LISTEN) -> Settings:
    """A listener of its own, of this name."""
    return {**OFF, "upstreams": [{"name": name, "target": upstream.url, "listen": listen}]}


def text(address: Address) -> str:
    return f"{address.host}:{address.port}"


@pytest.fixture
def second() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


def ask(client: Client, upstream: Upstream, body: bytes) -> Message:
    """One exchange; the request as `upstream` saw it."""
    client.send(GET)
    seen = upstream.answer(body)
    answer = client.response()
    assert (answer.body, answer.head.value("connection")) == (body, None)
    return seen


def test_another_name_at_the_same_port(start: Callable[..., Sidecar], upstream: Upstream, second: Upstream) -> None:
    """Who is connected stays connected, in whatever state; the next request goes by the new settings."""
    sidecar = start(named("billing", upstream))
    listen = text(sidecar.addresses["billing"])
    silent, idle, busy = (sidecar.client("billing") for _ in range(3))
    ask(idle, upstream, b"warm")
    busy.send(GET)
    app = upstream.busy()
    app.request()
    sidecar.replace(named("payments", second, listen))
    assert {name: text(address) for name, address in sidecar.addresses.items()} == {"payments": listen}
    gauges = {name: metrics.connections_open for name, metrics in sidecar.metrics.listeners.items()}
    assert gauges == {"billing": 0, "payments": 3}
    for client in (sidecar.client("payments"), idle, silent):
        ask(client, second, b"new")
    app.reply(b"as it began")
    answer = busy.response()
    assert (answer.body, answer.head.value("connection")) == (b"as it began", None)
    ask(busy, second, b"new")
    asked = {names: metrics.requests[2] for names, metrics in sidecar.metrics.exchanges.items()}
    assert asked == {("billing", "billing"): 2, ("payments", "payments"): 4}
    for client in (silent, idle, busy):
        client.close()
    sidecar.settle()
    assert sidecar.metrics.listeners["payments"].connections_open == 1
    assert sidecar.metrics.listeners["billing"].connections_open == 0


def test_a_tunnel_outlives_it(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """It is counted where it came in, by whatever name that goes."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}})
    listen = text(sidecar.addresses["outbound"])
    client = sidecar.client("outbound")
    client.send(b"CONNECT " + upstream.authority + b" HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n")
    far = upstream.accept()
    assert client.response("CONNECT").status == 200
    sidecar.replace(named("billing", upstream, listen))
    listeners = sidecar.metrics.listeners
    assert (listeners["outbound"].tunnels_open, listeners["billing"].tunnels_open) == (0, 1)
    client.send(b"there")
    assert far.exactly(5) == b"there"
    far.close()
    assert client.is_ended()
    client.close()
    sidecar.settle()
    assert (listeners["outbound"].tunnels_open, listeners["billing"].tunnels_open) == (0, 0)
    assert sidecar.plane.in_flight() == 0


def test_two_change_places(start: Callable[..., Sidecar], upstream: Upstream, second: Upstream) -> None:
    """Each address keeps its socket and its connections."""
    sidecar = start({"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN}})
    inbound, outbound = text(sidecar.addresses["inbound"]), text(sidecar.addresses["outbound"])
    caller, app = sidecar.client("inbound"), sidecar.client("outbound")
    ask(caller, upstream, b"app")
    sidecar.replace(
        {
            "inbound": {"listen": outbound, "app": upstream.url},
            "outbound": {"listen": inbound},
            "admin": {"listen": "off"},
        }
    )
    assert {name: text(address) for name, address in sidecar.addresses.items()} == {
        "inbound": outbound,
        "outbound": inbound,
    }
    for client in (caller, sidecar.client("outbound")):
        client.send(b"GET / HTTP/1.1\r\nHost: " + second.authority + b"\r\n\r\n")
        second.answer(b"other")
        assert client.response().body == b"other"
    for client in (app, sidecar.client("inbound")):
        ask(client, upstream, b"app")


def test_a_name_goes_round(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """A name that moves to another's address, whose own name is given to a new one."""
    sidecar = start(named("one", upstream))
    first = sidecar.addresses["one"]
    client = sidecar.client("one")
    ask(client, upstream, b"one")
    two = {"name": "two", "target": upstream.url, "listen": text(first)}
    one = {"name": "one", "target": upstream.url, "listen": LISTEN}
    sidecar.replace({**OFF, "upstreams": [one, two]})
    assert sidecar.addresses["two"] == first != sidecar.addresses["one"]
    ask(client, upstream, b"two")
    ask(sidecar.client("one"), upstream, b"one")
    port = sidecar.addresses["one"]
    sidecar.replace({**OFF, "upstreams": [one]})  # port 0: the one that it has
    assert sidecar.addresses == {"one": port}
    assert client.is_ended()
    with pytest.raises(ConnectionRefusedError):
        connect(first)


def test_what_cannot_be_bound_takes_nothing_over(
    start: Callable[..., Sidecar], upstream: Upstream, second: Upstream
) -> None:
    """Where one address of the new plan is taken by somebody else, the old plan stays, names and all."""
    sidecar = start(named("billing", upstream))
    listen = text(sidecar.addresses["billing"])
    client = sidecar.client("billing")
    bad = named("payments", second, listen)
    bad["outbound"] = {"listen": f"127.0.0.1:{second.port}"}
    with pytest.raises(StartError, match=rf"listener outbound cannot listen on 127\.0\.0\.1:{second.port}: .*in use"):
        sidecar.replace(bad)
    assert set(sidecar.plane.addresses()) == {"billing"}
    for each in (client, sidecar.client("billing")):
        ask(each, upstream, b"as before")
    assert sidecar.metrics.exchange("billing", "billing").requests[2] == 2


def test_a_unix_socket(start: Callable[..., Sidecar], upstream: Upstream, tmp_path: Path) -> None:
    """Its file stays the same one, and is gone at the end."""
    path = tmp_path / "in.sock"
    sidecar = start(named("billing", upstream, f"unix:{path}"))
    client = sidecar.client("billing")
    ask(client, upstream, b"old")
    inode = path.stat().st_ino
    sidecar.replace(named("payments", upstream, f"unix:{path}"))
    assert path.stat().st_ino == inode
    for each in (client, sidecar.client("payments")):
        ask(each, upstream, b"new")
    sidecar.replace({**OFF, "outbound": {"listen": LISTEN}})
    assert not path.exists()


class Callers:
    """Threads that connect, ask and go, over and over. Whatever goes wrong is in `lost`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self.round = threading.Semaphore(0)  # released once for each answer
        self.lost: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=(keep,)) for keep in (False, False, True)]
        for thread in self._threads:
            thread.start()

    def _run(self, keep: bool) -> None:
        """`keep`: on one connection for ever."""
        connection: HTTPConnection | None = None
        with contextlib.ExitStack() as stack:
            while not self._stop.is_set():
                try:
                    if connection is None or not keep:
                        stack.pop_all().close()
                        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
                        connection.auto_open = 0
                        connection.connect()
                        stack.callback(connection.close)
                    connection.request("GET", "/")
                    response = connection.getresponse()
                    if (response.status, response.read()) != (200, b"ok"):
                        self.lost.append(str(response.status))
                except Exception as error:
                    self.lost.append(repr(error))
                    return
                self.round.release()

    def await_answers(self, count: int) -> None:
        for _ in range(count):
            assert self.round.acquire(timeout=20), self.lost

    def join(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)


@pytest.fixture
def app() -> Iterator[str]:
    """Answers "ok" to whatever comes."""
    server = Upstream()
    stop = threading.Event()

    def serve_one(sock: Any) -> None:
        with contextlib.suppress(OSError), sock:
            while sock.recv(65536):
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def serve() -> None:
        with contextlib.suppress(OSError):
            while not stop.is_set():
                threading.Thread(target=serve_one, args=(server.sock.accept()[0],), daemon=True).start()

    server.sock.settimeout(None)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.url
    stop.set()
    with contextlib.suppress(OSError):
        server.sock.shutdown(2)
    thread.join(5)
    server.close()


@pytest.mark.slow
def test_hup_with_another_name_under_load(app: str, upstream: Upstream, tmp_path: Path) -> None:
    """Nobody is refused, nobody is cut; a file that cannot be used keeps the names that were, and the log says why."""
    config = tmp_path / "sidecar.yaml"

    def write(name: str, listen: str, outbound: str = "off") -> None:
        upstream = f"{{name: {name}, target: '{app}', listen: '{listen}'}}"
        lines = [
            "inbound: {listen: off}",
            f"outbound: {{listen: '{outbound}'}}",
            "admin: {listen: off}",
            "reload: {watch: false}",
            "drain: {outbound_linger_s: 0}",
            f"upstreams: [{upstream}]",
        ]
        config.write_text("\n".join(lines))

    write("name-0", LISTEN)
    with SidecarProcess("--config", str(config)) as sidecar:
        (address,) = sidecar.addresses.values()
        callers = Callers(address.port)
        for turn in range(1, 7):
            callers.await_answers(30)
            write(f"name-{turn}", text(address))
            sidecar.process.send_signal(signal.SIGHUP)
            sidecar.await_line("settings reloaded")
        write("name-7", text(address), outbound=f"127.0.0.1:{upstream.port}")
        sidecar.process.send_signal(signal.SIGHUP)
        assert "in use" in sidecar.await_line("settings not reloaded")
        callers.await_answers(60)
        callers.join()
        assert not callers.lost
        sidecar.terminate()
        assert sidecar.wait() == 0
