"""Peers that speak HTTP/2 by themselves, before and behind a sidecar: grpc-js, grpclib, curl, nghttp2, nginx.

A test whose tool is missing is skipped by name.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpclib.client
import grpclib.const
import grpclib.server
import pytest
import websockets
from lab import npm
from lab.peers import WAIT_S, Upstream
from lab.rpc import Caller, Service, make_every_call
from lab.sidecar import LISTEN, Sidecar

NODE = Path(__file__).parent / "node"
T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
B3 = (("x-b3-traceid", T), ("x-b3-spanid", S), ("x-b3-sampled", "1"))
PARENT = f"00-{T}-{S}-01"

Start = Callable[..., Sidecar]


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"there is no {name}")
    return found


def run(*command: str, timeout: float = 30) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def address(sidecar: Sidecar, listener: str = "inbound") -> str:
    return f"127.0.0.1:{sidecar.addresses[listener].port}"


def two(start: Start, url: str) -> tuple[Sidecar, str]:
    """Behind one sidecar and behind two, with B3 between them: the outer one, and its listener."""
    inner = start({"inbound": {"app": url}})
    upstream = {
        "name": "echo",
        "listen": LISTEN,
        "target": f"http://{address(inner)}",
        "propagation": {"inject": ["b3"]},
    }
    return start({"inbound": {"listen": "off"}, "upstreams": [upstream]}), "echo"


# --- @grpc/grpc-js


@pytest.fixture(scope="session")
def node() -> str:
    reason = npm.reason_it_is_missing(NODE)
    if reason is not None:
        if os.environ.get("OPS_REQUIRE_NODE"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(shutil.which("node"))


@contextmanager
def served_by_node(node: str) -> Iterator[str]:
    process = subprocess.Popen(
        [node, "peer.cjs", "serve"], cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(WAIT_S)
        process.stdout.close()


def test_grpc_js_on_both_sides_of_two_sidecars(node: str, start: Start) -> None:
    with served_by_node(node) as url:
        outer, listener = two(start, url)
        told = json.loads(run(node, str(NODE / "peer.cjs"), "call", address(outer, listener)))
    assert told == {
        "echo": 3 * 1024 * 1024,
        "traceparent": PARENT,
        "fail": [5, "no such thing: ü", "00ff01"],
        "deadline": 4,
        "cancelled": 1,
        "gone": "gone",
        "many": 1_000_000,
        "sum": "1000000",
        "talk": ["re: 0", "re: 1", "re: 2"],
    }


def test_grpc_js_calls_grpcio(node: str, start: Start, service: Service) -> None:
    told = json.loads(run(node, str(NODE / "peer.cjs"), "call", address(start({"inbound": {"app": service.url}}))))
    assert (told["echo"], told["many"], told["sum"]) == (3 * 1024 * 1024, 1_000_000, "1000000")
    assert service.seen[0]["traceparent"] == PARENT


def test_grpcio_calls_grpc_js(node: str, start: Start, calling: Callable[..., Caller]) -> None:
    with served_by_node(node) as url:
        caller = calling(start({"inbound": {"app": url}}))
        assert caller.unary("Echo", b"hello", metadata=B3) == b"hello"
        assert sum(map(len, caller.multi("unary_stream", "Many")(b"", timeout=10))) == 1_000_000
        with pytest.raises(grpc.RpcError) as raised:
            caller.unary("Fail")
    assert dict(raised.value.trailing_metadata())["details-bin"] == b"\x00\xff\x01"


# --- grpclib


class Raw:
    """Messages are bytes."""

    __content_subtype__ = "raw"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> bytes:
        return data


class GrpclibService:
    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.gone = 0  # calls of `wait` that have ended
        self.went = asyncio.Event()

    def __mapping__(self) -> dict[str, grpclib.const.Handler]:
        unary, both = grpclib.const.Cardinality.UNARY_UNARY, grpclib.const.Cardinality.STREAM_STREAM
        return {
            "/lab.Echo/Echo": grpclib.const.Handler(self.echo, unary, bytes, bytes),
            "/lab.Echo/Talk": grpclib.const.Handler(self.talk, both, bytes, bytes),
            "/lab.Echo/Fail": grpclib.const.Handler(self.fail, unary, bytes, bytes),
            "/lab.Echo/Wait": grpclib.const.Handler(self.wait, unary, bytes, bytes),
        }

    async def echo(self, stream: Any) -> None:
        self.seen.append(dict(stream.metadata))
        await stream.send_message(await stream.recv_message())

    async def fail(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_trailing_metadata(
            status=grpclib.const.Status.NOT_FOUND,
            status_message="no such thing: ü 100%",
            metadata={"details-bin": b"\x00\xff\x01"},
        )

    async def wait(self, stream: Any) -> None:
        try:
            await asyncio.sleep(WAIT_S * 2)
        finally:
            self.gone += 1
            self.went.set()

    async def talk(self, stream: Any) -> None:
        async for message in stream:
            await stream.send_message(b"re: " + message)


class GrpclibServer(grpclib.server.Server):
    """Closes its connections, too."""

    def _protocol_factory(self) -> Any:
        self.protocols: list[Any] = [*getattr(self, "protocols", []), super()._protocol_factory()]
        return self.protocols[-1]

    async def end(self) -> None:
        self.close()
        for protocol in self.protocols:
            protocol.connection.close()
        await self.wait_closed()
        await asyncio.sleep(0)


async def test_grpclib_on_both_sides_of_two_sidecars(start: Start) -> None:
    service = GrpclibService()
    server = GrpclibServer([service], codec=Raw())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await server.start(sock=listening)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        outer, listener = await asyncio.to_thread(two, start, url)
        async with grpclib.client.Channel("127.0.0.1", outer.addresses[listener].port, codec=Raw()) as channel:
            echo = grpclib.client.UnaryUnaryMethod(channel, "/lab.Echo/Echo", bytes, bytes)
            message = bytes(1024 * 1024)
            assert await echo(message, metadata=dict(B3), timeout=10) == message
            talk = grpclib.client.StreamStreamMethod(channel, "/lab.Echo/Talk", bytes, bytes)
            async with talk.open(timeout=10) as stream:
                for number in range(5):
                    await stream.send_message(b"%d" % number)
                    assert await stream.recv_message() == b"re: %d" % number
                await stream.end()
                assert await stream.recv_message() is None
            fail = grpclib.client.UnaryUnaryMethod(channel, "/lab.Echo/Fail", bytes, bytes)
            with pytest.raises(grpclib.GRPCError) as raised:
                await fail(b"", timeout=10)
            assert raised.value.status is grpclib.const.Status.NOT_FOUND
            assert raised.value.message == "no such thing: ü 100%"
            wait = grpclib.client.UnaryUnaryMethod(channel, "/lab.Echo/Wait", bytes, bytes)
            with pytest.raises((asyncio.TimeoutError, grpclib.GRPCError)):
                await wait(b"", timeout=0.3)
            await asyncio.wait_for(service.went.wait(), WAIT_S)
            service.went.clear()
            cancelled = asyncio.create_task(wait(b"", timeout=10))
            await asyncio.sleep(0.2)
            cancelled.cancel()
            await asyncio.wait_for(service.went.wait(), WAIT_S)
            assert service.gone == 2
        await server.end()
    assert service.seen[0]["traceparent"] == PARENT


# --- curl, nghttp2


def test_curl_with_prior_knowledge_and_an_app_of_http_1(start: Start, upstream: Upstream) -> None:
    """h2 → h1 for plain HTTP: the app knows no HTTP/2, and its caller need not know."""
    curl = tool("curl")
    sidecar = start({"inbound": {"app": upstream.url}})
    command = [
        curl,
        "-sS",
        "--http2-prior-knowledge",
        "-d",
        "x" * 100,
        "-H",
        f"b3: {T}-{S}-1",
        "-w",
        " %{http_version} %{http_code}",
    ]
    with subprocess.Popen([*command, f"http://{address(sidecar)}/a?b"], stdout=subprocess.PIPE, text=True) as process:
        probe = upstream.accept()
        assert probe.until(b"\r\n\r\n") == b"PRI * HTTP/2.0"
        probe.send(b"HTTP/1.1 400 Bad Request\r\n\r\n").close()
        seen = upstream.answer(b"hello")
        out, _ = process.communicate(timeout=WAIT_S)
    assert (seen.method, seen.head.value("traceparent"), len(seen.body)) == (b"POST", PARENT.encode(), 100)
    assert out == "hello 2 200"


def test_nghttp_and_nghttpd(start: Start, tmp_path: Path) -> None:
    nghttp, nghttpd = tool("nghttp"), tool("nghttpd")
    (tmp_path / "index.html").write_text("x" * 200_000)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([nghttpd, "--no-tls", "-a", "127.0.0.1", "-d", str(tmp_path), str(port)]) as process:
        try:
            _wait_for(port)
            sidecar = start({"inbound": {"app": f"http://127.0.0.1:{port}"}})
            url = f"http://{address(sidecar)}/index.html"
            assert run(nghttp, url) == "x" * 200_000
            told = run(nghttp, "-nv", "-m", "20", "--no-push", url)
            assert len(re.findall(r":status: 200", told)) == 20
            h2load = tool("h2load")
            told = run(h2load, "-n", "300", "-c", "3", "-m", "20", url)
            assert "300 succeeded, 0 failed, 0 errored" in told
        finally:
            process.terminate()


def test_h2load_and_an_app_of_http_1(start: Start, tmp_path: Path) -> None:
    """Many streams of one connection, and as many connections of HTTP/1.1 to the app."""
    h2load, nginx = tool("h2load"), tool("nginx")
    with nginx_with(nginx, tmp_path, "location / { return 200 'hello'; }", http2=False) as url:
        sidecar = start({"inbound": {"app": url}})
        told = run(h2load, "-n", "500", "-c", "2", "-m", "30", f"http://{address(sidecar)}/")
    assert "500 succeeded, 0 failed, 0 errored" in told


# --- nginx


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
            probe.settimeout(0.02)
        subprocess.run(["sleep", "0.02"], check=True)
    raise TimeoutError(f"nobody listens at port {port}")


@contextmanager
def nginx_with(nginx: str, directory: Path, server: str, *, http2: bool = True) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    paths = " ".join(
        f"{name}_temp_path {directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    listen = f"listen 127.0.0.1:{port}{' http2' if http2 else ''};"
    (directory / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {directory}/pid; error_log stderr error; events {{}}\n"
        f"http {{ access_log off; {paths} server {{ {listen} {server} }} }}\n"
    )
    command = [nginx, "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", "stderr"]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_nginx_before_the_sidecar(start: Start, service: Service, tmp_path: Path) -> None:
    """grpc_pass, as an ingress has it."""
    nginx = tool("nginx")
    sidecar = start({"inbound": {"app": service.url}})
    passing = f"client_max_body_size 0; location / {{ grpc_pass grpc://{address(sidecar)}; }}"
    with nginx_with(nginx, tmp_path, passing) as url:
        make_every_call(url.removeprefix("http://"), service)


def test_nginx_behind_the_sidecar(start: Start, service: Service, tmp_path: Path) -> None:
    nginx = tool("nginx")
    passing = f"client_max_body_size 0; location / {{ grpc_pass grpc://127.0.0.1:{service.port}; }}"
    with nginx_with(nginx, tmp_path, passing) as url:
        make_every_call(address(start({"inbound": {"app": url}})), service)


# --- Node.js' own client: tunnels


def test_node_connects_through_a_stream(start: Start, upstream: Upstream) -> None:
    node = tool("node")
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN, "connect": True}})
    url = f"http://{address(sidecar, 'outbound')}"
    command = [node, str(NODE / "tunnel.cjs"), "connect", url, upstream.authority.decode(), b"to".hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        far = upstream.accept()
        assert far.to_end() == b"to"
        far.send(b"fro").close()
        out, _ = process.communicate(timeout=WAIT_S)
    assert out == f"200 {b'fro'.hex()}\n"


async def test_node_speaks_websocket_to_an_app_of_http_1(start: Start) -> None:
    async def answer(socket: websockets.ServerConnection) -> None:
        await socket.send(f"you said {await socket.recv()}")

    node = tool("node")
    async with websockets.serve(answer, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        sidecar = await asyncio.to_thread(start, {"inbound": {"app": f"http://127.0.0.1:{port}"}})
        sent = (bytes((0x81, 0x82, 0, 0, 0, 0)) + b"hi").hex()
        program = str(NODE / "tunnel.cjs")
        out = await asyncio.to_thread(run, node, program, "websocket", f"http://{address(sidecar)}", sent)
    assert out.startswith(f"200 {(bytes((0x81, 11)) + b'you said hi').hex()}")
