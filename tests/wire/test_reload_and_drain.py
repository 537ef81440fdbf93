"""A reload disturbs nothing in flight; a drain loses nothing that was accepted (DESIGN: failure rules). In process
and as a process under load."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from lab.messages import Truncated
from lab.peers import Upstream
from lab.process import SidecarProcess
from lab.sidecar import LISTEN, Sidecar
from lab.wire import Wire, check_problem

from proxy.errors import StartError

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LONG = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 300)


def test_reload_takes_effect_for_the_next_request(wired: Callable[..., Wire]) -> None:
    """The exchange in flight ends as it began; the next one on the same connection goes by the new settings."""
    wire = wired()
    other = Upstream()
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    base = {
        "inbound": {"listen": LISTEN, "app": other.url},
        "outbound": {"listen": "off"},
        "admin": {"listen": "off"},
    }
    wire.sidecar.replace(base)
    app.reply(b"old")
    assert client.response().body == b"old"
    client.send(GET)
    other.answer(b"new")
    assert client.response().body == b"new"
    other.close()


def test_readiness_asks_the_app_of_the_settings_that_hold(wired: Callable[..., Wire]) -> None:
    wire = wired()
    sidecar = wire.sidecar
    assert sidecar.thread.run(sidecar.plane.is_app_up())
    with socket.socket() as deaf:  # nobody listens there
        deaf.bind(("127.0.0.1", 0))
        app = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        off = {"outbound": {"listen": "off"}, "admin": {"listen": "off"}}
        sidecar.replace({"inbound": {"listen": str(sidecar.addresses["inbound"]), "app": app}, **off})
        assert not sidecar.thread.run(sidecar.plane.is_app_up())


@pytest.mark.parametrize("begun", [b"", LONG[:9]], ids=["between", "amid a head"])
def test_reload_changes_the_limits_of_open_connections(wire: Wire, begun: bytes) -> None:
    """A head that has begun is read by the old ones, the next by the new."""
    client = wire.client()
    client.send(begun)
    wire.settle()
    wire.sidecar.replace(
        {
            "inbound": {"listen": LISTEN, "app": wire.upstream.url},
            "outbound": {"listen": "off"},
            "admin": {"listen": "off"},
            "limits": {"request_line_bytes": 256},
        }
    )
    if begun:
        client.send(LONG[len(begun) :])
        wire.upstream.answer()
        assert client.response().status == 200
    client.send(LONG)
    check_problem(client.response(), 414, b"http_request_error")


def test_reload_opens_and_closes_listeners(wired: Callable[..., Wire]) -> None:
    """A listener that the new settings name is opened, one that they leave out closed; its exchange in flight still
    ends well."""
    wire = wired()
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    wire.sidecar.replace({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "admin": {"listen": "off"}})
    assert set(wire.sidecar.addresses) == {"outbound"}
    app.reply(b"old")
    assert client.response().body == b"old"
    out = wire.client("outbound")
    out.send(b"GET /out HTTP/1.1\r\nHost: " + wire.upstream.authority + b"\r\n\r\n")
    wire.settle()
    (wire.accept() if wire.upstream.has_caller() else app).answer(b"out")
    assert out.response().body == b"out"


def test_reload_that_cannot_bind_changes_nothing(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """The old plan stays whole where a new listener's address is taken."""
    sidecar = start({"inbound": {"app": upstream.url}})
    taken = Upstream()
    settings = {
        "inbound": {"listen": LISTEN, "app": taken.url},
        "outbound": {"listen": f"127.0.0.1:{taken.port}"},
        "admin": {"listen": "off"},
    }
    with pytest.raises(StartError, match=str(taken.port)):
        sidecar.replace(settings)
    client = sidecar.client()
    client.send(GET)
    upstream.answer(b"as before")
    assert client.response().body == b"as before"
    taken.close()


def test_drain_lets_exchanges_finish(wired: Callable[..., Wire]) -> None:
    """In flight: a waiting request, a streamed answer, a request body on its way. All finish, told to close; idle
    connections end."""
    wire = wired({"limits": {"gather_bytes": 0}})
    waiting, streaming, sending, idle = (wire.client() for _ in range(4))
    idle.send(GET)
    warm = wire.accept()
    warm.answer()
    assert idle.response().status == 200
    waiting.send(GET)
    warm.request()
    streaming.send(GET)
    stream_app = wire.accept()
    stream_app.request()
    stream_app.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    streaming.stream.response_head()
    sending.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    send_app = wire.accept()
    send_app.stream.request_head()
    drained = wire.sidecar.begin(wire.sidecar.plane.drain())
    assert idle.is_ended()
    with pytest.raises(ConnectionRefusedError):
        wire.client()
    warm.reply(b"waited")
    answer = waiting.response()
    assert (answer.body, answer.head.value("connection")) == (b"waited", b"close")
    assert waiting.is_ended()
    stream_app.send(b"67890")
    assert streaming.exactly(10) == b"1234567890"
    assert streaming.is_ended()
    sending.send(b"67890")
    assert send_app.exactly(10) == b"1234567890"
    send_app.reply(b"stored")
    assert sending.response().body == b"stored"
    assert drained.result(5) is True


def test_drain_has_an_end(wired: Callable[..., Wire]) -> None:
    """After `timeout_s` drain says that not everything has finished; what is left is cut by stop."""
    wire = wired({"drain": {"timeout_s": 0.3}})
    client = wire.client()
    client.send(GET)
    app = wire.accept()
    app.request()
    assert wire.sidecar.thread.run(wire.sidecar.plane.drain()) is False
    wire.sidecar.thread.run(wire.sidecar.plane.stop())
    with pytest.raises(Truncated):
        client.response()
    assert app.is_ended()


def test_outbound_stays_open_until_the_app_is_done(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """While an inbound exchange is in flight the app may still call out, on new connections too."""
    app = Upstream()
    sidecar = start({"inbound": {"app": app.url}, "outbound": {"listen": LISTEN}, "drain": {"outbound_linger_s": 0}})
    client = sidecar.client()
    client.send(GET)
    app_side = app.accept()
    app_side.request()
    drained = sidecar.begin(sidecar.plane.drain())
    sidecar.settle()
    with pytest.raises(ConnectionRefusedError):
        sidecar.client()
    out = sidecar.client("outbound")
    out.send(b"GET /out HTTP/1.1\r\nHost: " + upstream.authority + b"\r\n\r\n")
    upstream.answer(b"needed")
    assert out.response().body == b"needed"
    app_side.reply(b"done")
    assert client.response().body == b"done"
    assert drained.result(5) is True
    app.close()


# --- a process under load


class App(BaseHTTPRequestHandler):
    """Answers each request with its own path and body, after a moment."""

    protocol_version = "HTTP/1.1"
    pause = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.pause.wait(0.005)
        answer = self.path.encode() + b" " + body
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def app() -> Iterator[str]:
    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    server: socketserver.BaseServer = Server(("127.0.0.1", 0), App)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[index]
    server.shutdown()
    thread.join(5)
    server.server_close()


class Load:
    """Threads that ask without pause.

    What was sent before `closing` must be answered, and whatever is answered must be answered whole. Later requests may
    meet a closed door, or a connection that closes while they are on their way (RFC 9112, 9.6).
    """

    def __init__(self, port: int, threads: int = 6, *, fresh: bool = False) -> None:
        self.port, self.fresh = port, fresh
        self.answered = 0
        self.lost: list[str] = []
        self.enough = threading.Event()
        self.closing = threading.Event()
        self.stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(index,)) for index in range(threads)]
        for thread in self._threads:
            thread.start()

    def _ask(self, who: int) -> None:
        connection: HTTPConnection | None = None
        turn = 0
        while not self.stop.is_set():
            turn += 1
            if connection is None:
                connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
                try:
                    connection.connect()
                except OSError:
                    return  # not accepted: nothing was lost
            path, body = f"/{who}/{turn}", f"body {who} {turn}"
            in_time = False
            try:
                connection.request("POST", path, body)
                in_time = not self.closing.is_set()
                response = connection.getresponse()
                answer = response.read().decode()
            except (OSError, HTTPException) as error:
                if in_time or not isinstance(error, ConnectionError):  # RemoteDisconnected is one: no byte came
                    self.lost.append(f"{path}: {error!r}")
                connection.close()
                connection = None
                continue
            if answer != f"{path} {body}":
                self.lost.append(f"{path}: {response.status} {answer[:100]!r}")
            self.answered += 1
            if self.answered > 60:
                self.enough.set()
            if response.will_close or self.fresh:
                connection.close()
                connection = None
        if connection:
            connection.close()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(20)


def ready(sidecar: SidecarProcess) -> int:
    """The status of /readyz."""
    with contextlib.closing(HTTPConnection("127.0.0.1", sidecar.addresses["admin"].port, timeout=5)) as admin:
        admin.request("GET", "/readyz")
        response = admin.getresponse()
        response.read()
        return response.status


def test_term_with_grace(upstream: Upstream) -> None:
    """During `grace_s` readiness is red and inbound still accepts; then it ends when the last exchange has."""
    arguments = ("--inbound", LISTEN, "--outbound", "off", "--admin", LISTEN, "--app", upstream.url)
    with SidecarProcess(*arguments, "--set", "drain.grace_s=1", "--set", "log.level=info") as sidecar:
        assert ready(sidecar) == 200
        early = sidecar.client()
        early.send(GET)
        app = upstream.accept()
        app.request()
        sidecar.terminate()
        sidecar.await_line("drain")
        assert ready(sidecar) == 503
        late = sidecar.client()
        late.send(GET)
        upstream.answer(b"late")
        assert late.response().body == b"late"
        app.reply(b"early")
        assert early.response().body == b"early"
        assert sidecar.wait() == 0


def test_term_that_must_cut(upstream: Upstream) -> None:
    """What does not finish within `timeout_s` is cut, and the exit code says so."""
    arguments = ("--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", upstream.url)
    with SidecarProcess(*arguments, "--set", "drain.timeout_s=0.3") as sidecar:
        client = sidecar.client()
        client.send(GET)
        app = upstream.accept()
        app.request()
        sidecar.terminate()
        assert sidecar.wait() == 1
        with pytest.raises(Truncated):
            client.response()
        assert app.is_ended()


@pytest.mark.slow
@pytest.mark.parametrize("fresh", [False, True], ids=["keep-alive", "fresh"])
def test_term_under_load(app: str, fresh: bool) -> None:
    """SIGTERM while clients ask without pause: each accepted request is answered whole; exit code 0."""
    with SidecarProcess(
        "--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", app, "--set", "drain.timeout_s=10"
    ) as sidecar:
        load = Load(sidecar.addresses["inbound"].port, fresh=fresh)
        assert load.enough.wait(20)
        load.closing.set()
        sidecar.terminate()
        assert sidecar.wait() == 0
        load.stop.set()
        load.join()
        assert not load.lost
        assert load.answered > 60


@pytest.mark.slow
def test_a_reload_that_hangs_holds_up_nothing(app: str, tmp_path: Path) -> None:
    """A pipe stands where the settings were, and its writer says nothing: requests and SIGTERM pass it by."""
    config, pipe = tmp_path / "sidecar.yaml", tmp_path / "pipe"
    config.write_text(f"inbound: {{listen: '127.0.0.1:0', app: '{app}'}}\noutbound: {{listen: off}}\n")
    os.mkfifo(pipe)
    with SidecarProcess("--config", str(config), "--set", "admin.listen=127.0.0.1:0") as sidecar:
        pipe.replace(config)
        sidecar.send_signal(signal.SIGHUP)
        with config.open("wb"):  # opens when the sidecar reads
            assert sidecar.get("/")[0] == 501  # the app's own: it knows POST alone
            assert sidecar.get("/healthz", "admin")[0] == 200
            assert sidecar.end(signal.SIGTERM) == 0


def test_hup_under_load(app: str, tmp_path: Path) -> None:
    """Ten reloads while clients ask without pause: nothing is lost, and the last settings hold."""
    config = tmp_path / "sidecar.yaml"

    def write(turn: int) -> None:
        lines = [
            f"inbound: {{listen: '127.0.0.1:0', app: '{app}'}}",
            "outbound: {listen: off}",
            "admin: {listen: off}",
            "reload: {watch: false}",
            f"timeouts: {{idle_s: {60 + turn}}}",
        ]
        replacement = tmp_path / "next.yaml"
        replacement.write_text("\n".join(lines))
        replacement.replace(config)

    write(0)
    with SidecarProcess("--config", str(config)) as sidecar:
        load = Load(sidecar.addresses["inbound"].port)
        for turn in range(10):
            load.enough.clear()
            load.answered = 0
            assert load.enough.wait(20)
            write(turn + 1)
            sidecar.process.send_signal(signal.SIGHUP)
            sidecar.await_line("reload")
        load.stop.set()
        load.join()
        assert not load.lost
        sidecar.terminate()
        assert sidecar.wait() == 0
