"""Opens connections to upstreams: TCP, TLS, Unix sockets; any address of a name will do.

May know sockets and TLS. Must not know what a connection is
used for, which may depend on the protocol that TLS agreed on.
Foreign exceptions become a `Refusal` here and nowhere else.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

from proxy.plan import UpstreamTarget
from proxy.semantics.faults import Fault, Refusal
from proxy.transport.alerts import alert_detail, alert_of
from proxy.transport.deadlines import NEVER
from proxy.transport.descriptors import Descriptors
from proxy.transport.dialling import Dialling, in_order
from proxy.transport.resolve import Resolver
from proxy.transport.sockets import keep_alive

P = TypeVar("P")  # anything with the methods of an asyncio.Protocol

_LAST_S: Final = 10.0
_UNREACHABLE = frozenset((errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTDOWN, errno.ENETDOWN))


class Connector:
    """Connects to one target."""

    def __init__(
        self,
        target: UpstreamTarget,
        resolver: Resolver,
        judge: Callable[[str, int], Refusal | None],
        descriptors: Descriptors | None = None,
        on_moved: Callable[[], None] = lambda: None,
        tcp_keepalive_s: float = 0.0,
    ) -> None:
        """`judge`: why an address and port must not be dialled.
        `on_moved`: no remembered address could be reached, and the name leads elsewhere now.
        """
        self.target = target
        self.resolver = resolver
        self._judge = judge
        self._descriptors = descriptors or Descriptors()
        self._on_moved = on_moved
        self._last_until: dict[str, float] = {}  # addresses that come last for a while, as they failed or were silent
        self._tcp_keepalive_s = tcp_keepalive_s
        self._turn = 0

    def to(self, target: UpstreamTarget) -> Connector:
        """One like this, with another `target` at the same address."""
        return Connector(target, self.resolver, self._judge, self._descriptors, self._on_moved, self._tcp_keepalive_s)

    async def connect(self, make: Callable[[str], P], timeout_s: float, *, tls: bool = True) -> P:
        """A new connection, as made by `make` from the protocol that TLS agreed on (ALPN); empty for none.

        Name look-up, every address and the TLS handshake share `timeout_s`.
        If no remembered address answers, the name is looked up anew first.
        Raises Refusal.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._connect(make, tls)
        except TimeoutError:
            raise Refusal(Fault.CONNECT_TIMEOUT, f"no connection to the upstream within {timeout_s:g} s") from None

    async def _connect(self, make: Callable[[str], P], tls: bool) -> P:
        loop = asyncio.get_running_loop()
        address = self.target.address
        context = self.target.tls if tls and self.target.scheme == "https" else None
        name = self.target.server_name or address.host if context is not None else None
        if address.unix_path:
            try:
                _, made = await loop.create_unix_connection(
                    partial(_Made, make), address.unix_path, ssl=context, server_hostname=name or None
                )
            except (OSError, ssl.SSLError) as error:
                raise refusal_of(error, address.unix_path) from None
            return made.protocol
        answers = self.resolver.answers
        addresses = await self.resolver.addresses()
        turn, self._turn = self._turn, self._turn + 1
        tried: set[str] = set()
        barred: list[Refusal] = []

        def open_to(ips: Sequence[str]) -> tuple[str, ...]:
            """Those of `ips` that may be dialled, in their order."""
            tried.update(ips)
            refusals = {ip: self._judge(ip, address.port) for ip in ips}
            barred.extend(refusal for refusal in refusals.values() if refusal is not None)
            order = in_order([ip for ip in ips if refusals[ip] is None], turn)
            now = loop.time()
            return tuple(sorted(order, key=lambda ip: self._last_until.get(ip, -NEVER) > now))

        async def more() -> tuple[str, ...]:
            found = await self.resolver.anew(tuple(tried), answers)
            if found:
                self._on_moved()
            return open_to(found)

        dialling = Dialling(open_to(addresses), self._dial, more, self._descriptors)
        failure: Refusal | None = None
        try:
            while (dialled := await dialling.next()) is not None:
                ip, connected = dialled
                try:
                    _, made = await loop.create_connection(
                        partial(_Made, make), sock=connected, ssl=context, server_hostname=name
                    )
                    return made.protocol
                except (OSError, ssl.SSLError) as error:
                    connected.close()
                    failure = refusal_of(error, f"{ip} port {address.port}")
                except BaseException:
                    connected.close()
                    raise
        finally:
            await dialling.close()
            until = loop.time() + _LAST_S
            self._last_until = {ip: at for ip, at in self._last_until.items() if ip in addresses}
            self._last_until.update(dict.fromkeys(dialling.losers, until))
        if barred:
            raise barred[0]
        if failure is None:
            assert dialling.failure is not None, "a name has at least one address"
            failed, why = dialling.failure
            failure = refusal_of(why, f"{failed} port {address.port}")
        raise failure

    def _dial(self, ip: str) -> asyncio.Future[socket.socket]:
        """A connection to `ip`, or the OSError why there is none. uvloop's own `sock_connect` would cost 70 µs more."""
        loop = asyncio.get_running_loop()
        made: asyncio.Future[socket.socket] = loop.create_future()
        try:
            dialled = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:
            made.set_exception(error)
            return made

        def settle(failed: int) -> None:
            if failed:
                made.set_exception(OSError(failed, os.strerror(failed)))
            else:
                made.set_result(dialled)

        def on_writable() -> None:
            loop.remove_writer(dialled.fileno())  # before anybody has the socket, who may close it at once
            if not made.done():
                settle(dialled.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

        def on_over(_: asyncio.Future[socket.socket]) -> None:
            if made.cancelled() or made.exception() is not None:
                loop.remove_writer(dialled.fileno())
                dialled.close()

        made.add_done_callback(on_over)
        try:
            dialled.setblocking(False)
            keep_alive(dialled, self._tcp_keepalive_s)
            failed = dialled.connect_ex((ip, self.target.address.port))
        except OSError as error:  # such as a zone that there is not
            made.set_exception(error)
            return made
        if failed == errno.EINPROGRESS:
            loop.add_writer(dialled.fileno(), on_writable)
        else:
            settle(failed)
        return made


class _Made(asyncio.Protocol, Generic[P]):
    """The protocol of a transport until it is connected, TLS included. Then the result of `make` replaces it."""

    protocol: P

    def __init__(self, make: Callable[[str], P]) -> None:
        self._make = make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls: Any = transport.get_extra_info("ssl_object")
        agreed = tls.selected_alpn_protocol() if tls is not None else None
        self.protocol = self._make(agreed or "")
        protocol = cast(asyncio.Protocol, self.protocol)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


def refusal_of(error: OSError, where: str) -> Refusal:
    """The fault behind an error of a socket or of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refusal(Fault.TLS_CERTIFICATE, f"the certificate of {where} is not trusted: {error.verify_message}")
    if alert := alert_of(error):
        return Refusal(Fault.TLS_ALERT, alert_detail(alert, where))
    if isinstance(error, ssl.SSLError):
        return Refusal(Fault.TLS_ERROR, f"TLS with {where} failed: {getattr(error, 'reason', None) or error}")
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return Refusal(Fault.CONNECTION_REFUSED, f"{where} refuses connections")
    if error.errno == errno.ETIMEDOUT:
        return Refusal(Fault.CONNECT_TIMEOUT, f"{where} did not answer")
    if error.errno in _UNREACHABLE:
        return Refusal(Fault.UNREACHABLE, f"{where} cannot be reached: {error.strerror}")
    if not error.args:  # as uvloop and asyncio say it
        return Refusal(Fault.CONNECTION_LOST, f"{where} closed the connection during the TLS handshake")
    return Refusal(Fault.CONNECTION_LOST, f"the connection to {where} failed: {error.strerror or error}")
