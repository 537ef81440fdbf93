"""HTTP/2 by ALPN, on both sides."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import trustme
from lab.peers import Client, Upstream
from lab.rpc import SERVICE, Service
from lab.sidecar import LISTEN, Sidecar, connect

Start = Callable[..., Sidecar]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(ca: trustme.CA, tmp_path: Path) -> dict[str, str]:
    issued = ca.issue_cert("127.0.0.1")
    paths = {name: str(tmp_path / f"{name}.pem") for name in ("ca", "cert", "key")}
    ca.cert_pem.write_to_path(paths["ca"])
    issued.cert_chain_pems[0].write_to_path(paths["cert"])
    issued.private_key_pem.write_to_path(paths["key"])
    return paths


@pytest.fixture
def secure_app(ca: trustme.CA) -> Iterator[tuple[str, Service]]:
    """A service of gRPC with TLS: its URL, and what it saw."""
    service = Service()
    issued = ca.issue_cert("127.0.0.1")
    server = grpc.server(ThreadPoolExecutor(4), handlers=[service.handler])
    pair = [(issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())]
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
    server.start()
    yield f"https://127.0.0.1:{port}", service
    server.stop(None).wait()
    service.close()


def call(sidecar: Sidecar, ca: trustme.CA, request: bytes) -> bytes:
    credentials = grpc.ssl_channel_credentials(ca.cert_pem.bytes())
    with grpc.secure_channel(f"127.0.0.1:{sidecar.addresses['inbound'].port}", credentials) as channel:
        answer: bytes = channel.unary_unary(f"/{SERVICE}/Echo")(request, timeout=10)
    return answer


@pytest.mark.parametrize("http2", ["auto", "always"])
def test_tls_on_both_sides(
    start: Start, ca: trustme.CA, files: dict[str, str], secure_app: tuple[str, Service], http2: str
) -> None:
    url, service = secure_app
    listen_tls = {"cert_file": files["cert"], "key_file": files["key"]}
    inbound = {"app": url, "http2": http2, "listen_tls": listen_tls, "tls": {"ca_file": files["ca"]}}
    assert call(start({"inbound": inbound}), ca, bytes(200_000)) == bytes(200_000)
    assert len(service.seen) == 1


def test_a_client_of_http_1_reaches_an_app_that_chooses_http2(
    start: Start, files: dict[str, str], secure_app: tuple[str, Service]
) -> None:
    """h1 → h2, by ALPN. The app resets what is no call, and its code is told."""
    url, _ = secure_app
    upstream = {"name": "app-of-tls", "listen": LISTEN, "target": url, "tls": {"ca_file": files["ca"]}}
    sidecar = start({"inbound": {"listen": "off"}, "upstreams": [upstream]})
    told = sidecar.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "app-of-tls")
    assert told.status == 502
    assert b"the peer has reset the stream: INTERNAL_ERROR" in told.body
    assert sidecar.metrics.upstream("app-of-tls").connects == 1


def test_alpn_chooses_and_http_1_stays_possible(
    start: Start, ca: trustme.CA, files: dict[str, str], upstream: Upstream
) -> None:
    sidecar = start(
        {"inbound": {"app": upstream.url, "listen_tls": {"cert_file": files["cert"], "key_file": files["key"]}}}
    )
    for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ca.configure_trust(context)
        if offered:
            context.set_alpn_protocols(offered)
        raw = context.wrap_socket(connect(sidecar.addresses["inbound"]), server_hostname="127.0.0.1")
        assert raw.selected_alpn_protocol() == chosen
        client = Client(raw)
        if chosen != "h2":
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            upstream.answer(b"ok")
            assert client.response().body == b"ok"
        client.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_over_tls(start: Start, files: dict[str, str], upstream: Upstream) -> None:
    sidecar = start(
        {
            "inbound": {
                "app": upstream.url,
                "http2": "never",
                "listen_tls": {"cert_file": files["cert"], "key_file": files["key"]},
            }
        }
    )
    url = f"https://127.0.0.1:{sidecar.addresses['inbound'].port}/a"
    command = ["curl", "-sS", "--http2", "--cacert", files["ca"], "-w", " %{http_version}", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        seen = upstream.answer(b"hello")
        out, _ = process.communicate(timeout=20)
    assert out == "hello 2"
    assert seen.head.value("x-forwarded-proto") == b"https"
