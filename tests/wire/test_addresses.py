"""Names, IPv6 and Unix sockets (RFC 3986 3.2.2, RFC 9110 7.2), and https upstreams with verification on (RFC 9110
4.3.4)."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar
from lab.wire import check_problem

GET = b"GET / HTTP/1.1\r\nHost: billing.internal\r\n\r\n"


def exchange(sidecar: Sidecar, upstream: Upstream, listener: str = "inbound", request: bytes = GET) -> bytes:
    """One exchange through `sidecar`; the Host that `upstream` saw."""
    client = sidecar.client(listener)
    client.send(request)
    seen = upstream.answer(b"through")
    assert client.response().body == b"through"
    return seen.head.value("host") or b""


def test_name(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """A DNS name is looked up."""
    assert exchange(start({"inbound": {"app": f"http://localhost:{upstream.port}"}}), upstream) == b"billing.internal"


def test_name_by_host_routing(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """Also one that only the request names."""
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}})
    authority = b"localhost:%d" % upstream.port
    assert exchange(sidecar, upstream, "outbound", b"GET / HTTP/1.1\r\nHost: " + authority + b"\r\n\r\n") == authority


def test_ipv6(start: Callable[..., Sidecar]) -> None:
    """Listening on [::1], an app on [::1], a Host with an IPv6 literal, a CONNECT to one."""
    server = Upstream("::1")
    sidecar = start({"inbound": {"listen": "[::1]:0", "app": server.url}, "outbound": {"listen": LISTEN}})
    assert exchange(sidecar, server) == b"billing.internal"
    for request in (
        b"GET / HTTP/1.1\r\nHost: " + server.authority + b"\r\n\r\n",
        b"GET http://" + server.authority + b"/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        assert exchange(sidecar, server, "outbound", request) == server.authority
    client = sidecar.client("outbound")
    client.send(b"CONNECT " + server.authority + b" HTTP/1.1\r\nHost: " + server.authority + b"\r\n\r\n")
    far = server.accept()
    assert client.response("CONNECT").status == 200
    far.send(b"x")
    assert client.exactly(1) == b"x"
    server.close()


def test_unix_socket_app(start: Callable[..., Sidecar], tmp_path: Path) -> None:
    """The app behind a Unix socket; the client's Host stays."""
    server = Upstream(unix_path=tmp_path / "app.sock")
    assert exchange(start({"inbound": {"app": server.url}}), server) == b"billing.internal"
    server.close()


def test_unix_socket_gone(start: Callable[..., Sidecar], tmp_path: Path) -> None:
    """No socket there: 502."""
    client = start({"inbound": {"app": f"unix:{tmp_path / 'none.sock'}"}}).client()
    assert client.ask(GET).status == 502


# --- https


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def serve_tls(ca: trustme.CA) -> Iterator[Callable[..., Upstream]]:
    servers: list[Upstream] = []

    def make(*names: str, by: trustme.CA | None = None, until: datetime | None = None) -> Upstream:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (by or ca).issue_cert(*names, not_after=until).configure_cert(context)
        context.set_alpn_protocols(["http/1.1"])
        servers.append(Upstream(tls=context))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def billing(server: Upstream, **tls: object) -> dict[str, object]:
    """TLS origination on a listener of its own (way 3)."""
    upstream = {"name": "billing", "match": ["billing.internal"], "target": server.url, "listen": LISTEN, "tls": tls}
    return {"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "upstreams": [upstream]}


@pytest.mark.parametrize("listener", ["billing", "outbound"])
def test_https(start: Callable[..., Sidecar], serve_tls: Callable[..., Upstream], ca_file: str, listener: str) -> None:
    """Plain HTTP in, TLS out, verified against the CA that is named; connections are reused; ALPN says http/1.1."""
    server = serve_tls("127.0.0.1")
    client = start(billing(server, ca_file=ca_file)).client(listener)
    client.send(GET)
    far = server.accept()
    far.answer(b"first")
    assert client.response().body == b"first"
    assert far.sock.selected_alpn_protocol() == "http/1.1"  # type: ignore[attr-defined]
    client.send(b"POST / HTTP/1.1\r\nHost: billing.internal\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert len(far.answer(b"y" * 300_000).body) == 100_000
    assert client.response().body == b"y" * 300_000


def test_https_server_name(start: Callable[..., Sidecar], serve_tls: Callable[..., Upstream], ca_file: str) -> None:
    """`tls.server_name` is what is asked for and verified."""
    server = serve_tls("billing.example")
    assert (
        exchange(start(billing(server, ca_file=ca_file, server_name="billing.example")), server, "billing")
        == server.authority
    )


@pytest.mark.parametrize("case", ["wrong-ca", "system-ca", "wrong-name", "expired"])
def test_https_not_to_be_trusted(
    start: Callable[..., Sidecar], serve_tls: Callable[..., Upstream], ca_file: str, case: str
) -> None:
    """A certificate of another CA, or of another name, or of another year: 502 with tls_certificate_error, and no byte
    of the request leaves."""
    server = serve_tls(
        "elsewhere.example" if case == "wrong-name" else "127.0.0.1",
        by=trustme.CA() if case == "wrong-ca" else None,
        until=datetime(2020, 1, 1, tzinfo=UTC) if case == "expired" else None,
    )
    client = start(billing(server, **({} if case == "system-ca" else {"ca_file": ca_file}))).client("billing")
    client.send(GET)
    try:
        far = server.accept()
    except OSError:
        pass  # the handshake failed on both sides
    else:
        assert far.to_end() == b""
    check_problem(client.response(), 502, b"tls_certificate_error")


def test_https_verification_off(start: Callable[..., Sidecar], serve_tls: Callable[..., Upstream]) -> None:
    """`verify: false` is possible, and must be asked for."""
    server = serve_tls("elsewhere.example", by=trustme.CA())
    assert exchange(start(billing(server, verify=False)), server, "billing") == server.authority


@pytest.mark.parametrize("setting", ["ca_file", "server_name", "verify"])
def test_https_app(
    start: Callable[..., Sidecar], serve_tls: Callable[..., Upstream], ca_file: str, setting: str
) -> None:
    """The app may speak TLS, too; and each key of `inbound.tls` is what makes it trusted."""
    name = "127.0.0.1" if setting == "ca_file" else "app.example"
    server = serve_tls(name, by=trustme.CA() if setting == "verify" else None)
    full = {"ca_file": ca_file, "server_name": name} if setting != "verify" else {"verify": False}
    lacking = {key: value for key, value in full.items() if key != setting}
    assert exchange(start({"inbound": {"app": server.url, "tls": full}}), server) == b"billing.internal"
    client = start({"inbound": {"app": server.url, "tls": lacking}}).client()
    client.send(GET)
    with contextlib.suppress(OSError):  # the handshake fails on both sides
        server.accept()
    check_problem(client.response(), 502, b"tls_certificate_error")


def test_a_client_certificate(start: Callable[..., Sidecar], tmp_path: Path) -> None:
    """An app, and another service, that ask for one get ours; without one they refuse us."""
    authority = trustme.CA()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(theirs)
    theirs.verify_mode = ssl.CERT_REQUIRED
    ours = authority.issue_cert("sidecar.internal")
    files = {name: str(tmp_path / f"{name}.pem") for name in ("ca_file", "cert_file", "key_file")}
    authority.cert_pem.write_to_path(files["ca_file"])
    ours.cert_chain_pems[0].write_to_path(files["cert_file"])
    ours.private_key_pem.write_to_path(files["key_file"])
    both = str(tmp_path / "both.pem")
    ours.private_key_and_cert_chain_pem.write_to_path(both)
    server = Upstream(tls=theirs)
    in_one = {"ca_file": files["ca_file"], "cert_file": both}
    for tls in (files, in_one):
        sidecar = start({"inbound": {"app": server.url, "tls": tls}})
        assert exchange(sidecar, server) == b"billing.internal"
    billing = {"name": "billing", "listen": LISTEN, "target": server.url, "tls": files, "host": "preserve"}
    sidecar = start({"inbound": {"listen": "off"}, "upstreams": [billing]})
    assert exchange(sidecar, server, "billing") == b"billing.internal"
    client = start({"inbound": {"app": server.url, "tls": {"ca_file": files["ca_file"]}}}).client()
    client.send(GET)
    with contextlib.suppress(OSError):  # the handshake fails on both sides
        server.accept()
    assert client.response().status == 502
    server.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_client_certificate_that_is_missing(
    start: Callable[..., Sidecar], ca: trustme.CA, ca_file: str, version: ssl.TLSVersion
) -> None:
    """The refusal is a fault of its own. With TLS 1.3 it comes when the handshake is over for us, and maybe the request
    is on its way.
    """
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(theirs)
    ca.configure_trust(theirs)
    theirs.verify_mode = ssl.CERT_REQUIRED
    theirs.minimum_version = theirs.maximum_version = version
    with contextlib.closing(Upstream(tls=theirs)) as server:
        client = start({"inbound": {"app": server.url, "tls": {"ca_file": ca_file}}}).client()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        with contextlib.suppress(OSError):
            server.accept()
        answer = client.response()
        check_problem(answer, 502, b"tls_alert_received")
        assert b"tls.cert_file" in answer.body


def test_https_to_a_plain_server(start: Callable[..., Sidecar], upstream: Upstream, ca_file: str) -> None:
    """A server that speaks no TLS: 502 with tls_protocol_error."""
    settings = billing(upstream, ca_file=ca_file)
    settings["upstreams"][0]["target"] = upstream.url.replace("http:", "https:")  # type: ignore[index]
    client = start(settings).client("billing")
    client.send(GET)
    far = upstream.accept()
    far.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    far.close()
    check_problem(client.response(), 502, b"tls_protocol_error")


def test_https_cut_without_close_notify(
    start: Callable[..., Sidecar], serve_tls: Callable[..., Upstream], ca_file: str
) -> None:
    """RFC 9112 9.8: a TLS connection that ends without close_notify in a body until close is truncation: no last
    chunk."""
    server = serve_tls("127.0.0.1")
    client = start(billing(server, ca_file=ca_file)).client("billing")
    client.send(GET)
    far = server.accept()
    far.request()
    far.send(b"HTTP/1.1 200 OK\r\n\r\npart")
    client.stream.response_head()
    client.until(b"part\r\n")
    far.sock.close()  # no unwrap: a FIN without close_notify
    assert client.to_end() == b""
