"""Connections to upstreams: every address, TLS with verification, faults by their name."""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from typing import Any

import pytest
import trustme

from proxy.plan import Address, Router, Timeouts, UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.transport import connector as connector_module
from proxy.transport.connector import Connector, refusal_of
from proxy.transport.resolve import Lookups, Resolver

CLOSE = b"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n"


class Fixed(Resolver):
    """A name with these addresses."""

    def __init__(self, *addresses: str) -> None:
        super().__init__("name.test", 60, Lookups())
        self._addresses = addresses
        self._expires = float("inf")


async def test_every_address_is_tried(lab: Any) -> None:
    origin = await lab.origin()
    origin.by_hand()
    target = UpstreamTarget("http", Address("name.test", origin.port))
    connector = Connector(target, Fixed("127.0.0.2", "127.0.0.1", "127.0.0.3"), lambda ip, port: False)
    for _ in range(3):
        connection = await connector.connect(lambda _alpn: asyncio.Protocol(), 5)
        assert connection is not None
        (await origin.accept()).reset()


async def test_no_address_answers(lab: Any) -> None:
    target = UpstreamTarget("http", Address("name.test", 1))
    connector = Connector(target, Fixed("127.0.0.2", "127.0.0.1"), lambda ip, port: False)
    with pytest.raises(Refusal) as caught:
        await connector.connect(lambda _alpn: asyncio.Protocol(), 5)
    assert caught.value.fault is Fault.CONNECTION_REFUSED


async def test_https_is_verified(lab: Any) -> None:
    """The right CA and name: 200. Another CA, or another name: 502, saying why."""
    authority, stranger = trustme.CA(), trustme.CA()
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(serving)
    origin = await lab.origin(ssl=serving)

    def trusting(ca: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context()
        ca.configure_trust(context)
        return context

    async def ask(context: ssl.SSLContext, server_name: str) -> bytes:
        target = UpstreamTarget("https", Address("127.0.0.1", origin.port), context, server_name)
        sidecar = await lab.sidecar(lab.inbound(lab.upstream(origin, target=target)))
        return bytes(await sidecar.ask(CLOSE))

    assert (await ask(trusting(authority), "localhost")).startswith(b"HTTP/1.1 200 OK")
    for answer in (await ask(trusting(stranger), "localhost"), await ask(trusting(authority), "elsewhere")):
        assert answer.startswith(b"HTTP/1.1 502 Bad Gateway")
        assert b"error=tls_certificate_error" in answer


@pytest.mark.parametrize(("spoken", "agreed"), [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], "")])
async def test_tls_says_what_is_made_of_a_connection(lab: Any, spoken: list[str], agreed: str) -> None:
    """By ALPN (RFC 7301); and what is made has the transport from its first byte on."""
    authority = trustme.CA()
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    if spoken:
        serving.set_alpn_protocols(spoken)
    origin = await lab.origin(ssl=serving)
    origin.by_hand()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    target = UpstreamTarget("https", Address("127.0.0.1", origin.port), context, "127.0.0.1")
    connector = Connector(target, Fixed("127.0.0.1"), lambda ip, port: False)
    reader = asyncio.StreamReader()
    asked = []

    def make(alpn: str) -> asyncio.StreamReaderProtocol:
        asked.append(alpn)
        return asyncio.StreamReaderProtocol(reader)

    await connector.connect(make, 5)
    assert asked == [agreed]
    await (await origin.accept()).send(b"first")
    assert await reader.readexactly(5) == b"first"
    reader._transport.abort()  # type: ignore[attr-defined]  # a StreamWriter would


async def test_an_absolute_https_target_is_verified(lab: Any) -> None:
    """The default trust store does not know this CA."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(serving)
    origin = await lab.origin(ssl=serving)
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other"))))
    answer = await sidecar.ask(
        b"GET https://127.0.0.1:%d/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % origin.port, "outbound"
    )
    assert b"error=tls_certificate_error" in answer


async def test_an_unknown_name(lab: Any) -> None:
    sidecar = await lab.sidecar(
        lab.inbound(lab.upstream(1, target=UpstreamTarget("http", Address("no.such.invalid", 80))))
    )
    answer = await sidecar.ask(CLOSE)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"error=dns_error" in answer


async def test_connect_timeout(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: Resolver) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr(Resolver, "addresses", never)
    target = UpstreamTarget("http", Address("slow.test", 80))
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(1, target=target, timeouts=Timeouts(connect_s=0.1))))
    assert (await sidecar.ask(CLOSE)).startswith(b"HTTP/1.1 504 Gateway Timeout")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), Fault.CONNECTION_REFUSED),
        (FileNotFoundError(errno.ENOENT, "no socket"), Fault.CONNECTION_REFUSED),
        (OSError(errno.ENETUNREACH, "unreachable"), Fault.UNREACHABLE),
        (OSError(errno.ETIMEDOUT, "timed out"), Fault.CONNECT_TIMEOUT),
        (ssl.SSLError(1, "handshake"), Fault.TLS_ERROR),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Fault.CONNECTION_LOST),
    ],
)
def test_faults(error: OSError, fault: Fault) -> None:
    assert refusal_of(error, "x").fault is fault


async def test_a_connection_made_too_late_leaves_nothing(
    lab: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made in the very turn in which its time is over: the event loop closes it, and tells nobody of the loss."""
    made = connector_module._Made.connection_made

    def late(self: Any, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        time.sleep(0.2)

    monkeypatch.setattr(connector_module._Made, "connection_made", late)
    origin = await lab.origin()
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(origin, timeouts=Timeouts(connect_s=0.1))))
    assert (await sidecar.ask(CLOSE)).startswith(b"HTTP/1.1 504 Gateway Timeout")
    (pool,) = sidecar.plane._pools._pools.values()
    assert (
        repr(pool) == f"<ConnectionPool http://127.0.0.1:{origin.port}, 0 connections, 0 idle, 0 being made, 0 waiting>"
    )
    assert sidecar.plane._descriptors.upstreams == 0
    await eventually(lambda: not sidecar.plane._ticker._members)
