"""TLS on the inbound listener: handshakes, client certificates, a certificate that changes, slow and silent clients."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from lab.messages import Truncated
from lab.peers import WAIT_S, Client, Upstream
from lab.process import SidecarProcess
from lab.sidecar import LISTEN, Sidecar, connect

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(ca: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """The server's certificate and its key, and the authority of its clients."""
    paths = {name: str(tmp_path / f"{name}.pem") for name in ("cert_file", "key_file", "client_ca_file")}
    write_certificate(ca, paths)
    ca.cert_pem.write_to_path(paths["client_ca_file"])
    return paths


def write_certificate(ca: trustme.CA, paths: dict[str, str]) -> bytes:
    """A new one; in DER form."""
    issued = ca.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(paths["cert_file"])
    issued.private_key_pem.write_to_path(paths["key_file"])
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


def trusting(ca: trustme.CA, *, shows: trustme.CA | None = None) -> ssl.SSLContext:
    """A client's context. `shows`: with a certificate of this authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    ca.configure_trust(context)
    if shows is not None:
        shows.issue_cert("caller.internal").configure_cert(context)
    return context


def secure(sidecar: Sidecar, context: ssl.SSLContext) -> Client:
    """A client whose handshake is over, closed at the end of the test."""
    return shaken(sidecar, context, connect(sidecar.addresses["inbound"]))


def shaken(sidecar: Sidecar, context: ssl.SSLContext, raw: socket.socket) -> Client:
    client = Client(context.wrap_socket(raw, server_hostname="127.0.0.1"))
    sidecar._clients.append(client)
    return client


def served(start: Callable[..., Sidecar], upstream: Upstream, files: dict[str, str], **more: object) -> Sidecar:
    names = ("cert_file", "key_file") if "client_certificates" not in more else tuple(files)
    return start({"inbound": {"app": upstream.url, "listen_tls": {**{name: files[name] for name in names}, **more}}})


def test_requests_over_tls(
    start: Callable[..., Sidecar], upstream: Upstream, ca: trustme.CA, files: dict[str, str]
) -> None:
    """TLS 1.2 or newer, HTTP/1.1 by ALPN, bodies both ways, and the app is told `https`."""
    sidecar = served(start, upstream, files)
    client = secure(sidecar, trusting(ca))
    assert client.sock.selected_alpn_protocol() == "http/1.1"  # type: ignore[attr-defined]
    body = b"x" * 300_000
    for _ in range(2):
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        seen = upstream.answer(body)
        assert seen.body == body
        assert seen.head.value("x-forwarded-proto") == b"https"
        assert client.response().body == body
    metrics = sidecar.metrics.listener("inbound")
    assert (metrics.connections_total, metrics.connections_open) == (1, 1)
    client.close()
    sidecar.until(lambda: metrics.connections_open == 0)


def test_old_tls_is_refused(
    start: Callable[..., Sidecar], upstream: Upstream, ca: trustme.CA, files: dict[str, str]
) -> None:
    """And plain HTTP. Both are counted, and leave nothing behind."""
    sidecar = served(start, upstream, files)
    old = trusting(ca)
    with pytest.warns(DeprecationWarning):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with contextlib.suppress(ssl.SSLError), pytest.raises(OSError):  # some builds cannot even offer it
        secure(sidecar, old)
    plain = sidecar.client().send(GET)
    with contextlib.suppress(ConnectionResetError):
        while plain.stream.more():
            pass
    metrics = sidecar.metrics.listener("inbound")
    sidecar.until(lambda: metrics.connections_open == 0)
    assert metrics.connections_refused["tls-handshake"] >= 1


@pytest.mark.parametrize(
    ("asked", "shows", "is_served"),
    [
        ("off", "none", True),
        ("optional", "none", True),
        ("optional", "theirs", True),
        ("optional", "foreign", False),
        ("required", "none", False),
        ("required", "theirs", True),
        ("required", "foreign", False),
    ],
)
def test_client_certificates(
    start: Callable[..., Sidecar],
    upstream: Upstream,
    ca: trustme.CA,
    files: dict[str, str],
    asked: str,
    shows: str,
    is_served: bool,
) -> None:
    given = dict(files)
    if asked == "off":
        del given["client_ca_file"]
    sidecar = served(start, upstream, given, client_certificates=asked)
    authority = {"none": None, "theirs": ca, "foreign": trustme.CA()}[shows]
    if is_served:
        client = secure(sidecar, trusting(ca, shows=authority))
        client.send(GET)
        upstream.answer(b"served")
        assert client.response().body == b"served"
        return
    with pytest.raises((OSError, Truncated)):  # with TLS 1.3 the client learns of it when it reads
        secure(sidecar, trusting(ca, shows=authority)).send(GET).response()
    assert not upstream.has_caller()


def test_a_slow_handshake_holds_nothing(
    start: Callable[..., Sidecar], upstream: Upstream, ca: trustme.CA, files: dict[str, str]
) -> None:
    """Others are served meanwhile, and it is ended after `timeouts.header_read_s`."""
    tls = {"cert_file": files["cert_file"], "key_file": files["key_file"]}
    sidecar = start({"inbound": {"app": upstream.url, "listen_tls": tls}, "timeouts": {"header_read_s": 0.5}})
    silent, half = sidecar.client(), sidecar.client()
    half.sock.send(b"\x16\x03\x01\x02\x00\x01")
    client = secure(sidecar, trusting(ca))
    client.send(GET)
    upstream.answer(b"meanwhile")
    assert client.response().body == b"meanwhile"
    for slow in (silent, half):
        with contextlib.suppress(ConnectionResetError):
            assert slow.is_ended()
    client.close()
    sidecar.until(lambda: not sidecar.metrics.listener("inbound").connections_open)
    sidecar.until(lambda: not sidecar.plane._listeners["inbound"].handshakes)


def test_a_drain_does_not_wait_for_a_silent_handshake(
    start: Callable[..., Sidecar], upstream: Upstream, ca: trustme.CA, files: dict[str, str]
) -> None:
    """A second, as for any client that has just connected; whoever is faster is answered."""
    sidecar = served(start, upstream, files)
    silent = sidecar.client()
    raw = socket.create_connection((sidecar.addresses["inbound"].host, sidecar.addresses["inbound"].port), WAIT_S)
    sidecar.settle()
    draining = sidecar.begin(sidecar.plane.drain())
    client = shaken(sidecar, trusting(ca), raw)
    client.send(GET)
    upstream.answer(b"last")
    answer = client.response()
    assert (answer.body, answer.head.value("connection")) == (b"last", b"close")
    client.close()
    with contextlib.suppress(ConnectionResetError):
        assert silent.is_ended()
    assert draining.result(8) is True


def test_a_sidecar_that_stops_leaves_no_handshake_behind(
    start: Callable[..., Sidecar], upstream: Upstream, files: dict[str, str]
) -> None:
    sidecar = served(start, upstream, files)
    silent = sidecar.client()
    handshakes = sidecar.plane._listeners["inbound"].handshakes
    sidecar.until(lambda: handshakes)

    async def stop() -> int:
        await sidecar.plane.stop()
        return len(handshakes)

    assert sidecar.thread.run(stop()) == 0
    with contextlib.suppress(ConnectionResetError):
        assert silent.is_ended()


def test_a_reload_changes_the_certificate_and_no_connection(
    start: Callable[..., Sidecar], upstream: Upstream, ca: trustme.CA, files: dict[str, str]
) -> None:
    sidecar = served(start, upstream, files)
    before = secure(sidecar, trusting(ca))
    unfinished = connect(sidecar.addresses["inbound"])
    sidecar.settle()
    new = write_certificate(ca, files)
    tls = {"cert_file": files["cert_file"], "key_file": files["key_file"]}
    sidecar.replace(
        {
            "inbound": {"listen": LISTEN, "app": upstream.url, "listen_tls": tls},
            "outbound": {"listen": "off"},
            "admin": {"listen": "off"},
        }
    )
    after = secure(sidecar, trusting(ca))
    late = shaken(sidecar, trusting(ca), unfinished)
    shown = [each.sock.getpeercert(binary_form=True) == new for each in (before, late, after)]  # type: ignore[attr-defined]
    assert shown == [False, False, True]
    for client in (before, late, after):
        client.send(GET)
        upstream.answer(b"served")
        assert client.response().body == b"served"
        client.close()


@pytest.mark.slow
def test_a_certificate_that_is_renewed_is_seen(upstream: Upstream, ca: trustme.CA, files: dict[str, str]) -> None:
    """A process whose files are watched: nobody has to tell it."""
    arguments = ["--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", upstream.url]
    for name in ("cert_file", "key_file"):
        arguments += ["--set", f"inbound.listen_tls.{name}={files[name]}"]
    with SidecarProcess(*arguments, "--set", "reload.interval_s=0.1", "--set", "log.level=info") as sidecar:
        address = sidecar.addresses["inbound"]
        new = write_certificate(ca, files)
        sidecar.await_line("settings reloaded")
        with trusting(ca).wrap_socket(connect(address), server_hostname="127.0.0.1") as client:
            assert client.getpeercert(binary_form=True) == new
            assert not select.select([upstream.sock], [], [], 0)[0]
