"""Where a redirected connection was meant to go. Real redirection: tests/interop/test_redirection.py."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from proxy.plan import Address
from proxy.transport.original import original_destination


class Socket:
    """Answers getsockopt as the kernel does."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self.asked: tuple[int, int, int] | None = None

    def getsockopt(self, *asked: int) -> bytes:
        self.asked = asked  # type: ignore[assignment]  # three numbers
        if self._answer is None:
            raise OSError(2, "no such entry")
        return self._answer


class Transport:
    """Knows its socket and its own end."""

    def __init__(self, endpoint: Socket | None, local: Any) -> None:
        self._extra = {"socket": endpoint, "sockname": local}

    def get_extra_info(self, name: str) -> Any:
        return self._extra[name]


def sockaddr_in(host: str, port: int) -> bytes:
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)


def sockaddr_in6(host: str, port: int, scope: int = 0) -> bytes:
    packed = socket.inet_pton(socket.AF_INET6, host)
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 7) + packed + struct.pack("=I", scope)


def look(endpoint: Socket | None, local: Any) -> Address | None:
    return original_destination(Transport(endpoint, local))  # type: ignore[arg-type]  # what is asked of one


def test_ipv4() -> None:
    endpoint = Socket(sockaddr_in("10.1.2.3", 8000))
    assert look(endpoint, ("127.0.0.1", 9081)) == Address("10.1.2.3", 8000)
    assert endpoint.asked == (0, 80, 16)


def test_an_ipv4_client_of_a_socket_for_both_families() -> None:
    endpoint = Socket(sockaddr_in("10.1.2.3", 80))
    assert look(endpoint, ("::ffff:127.0.0.1", 9081, 0, 0)) == Address("10.1.2.3", 80)
    assert endpoint.asked == (0, 80, 16)


@pytest.mark.parametrize(("host", "scope", "found"), [("fd00::1", 3, "fd00::1"), ("fe80::1", 3, "fe80::1%3")])
def test_ipv6(host: str, scope: int, found: str) -> None:
    endpoint = Socket(sockaddr_in6(host, 8000, scope))
    assert look(endpoint, ("::1", 9081, 0, 0)) == Address(found, 8000)
    assert endpoint.asked == (41, 80, 28)


def test_nobody_has_redirected_it() -> None:
    """The kernel may know nothing, or name the connection's own end."""
    assert look(Socket(None), ("127.0.0.1", 9081)) is None
    assert look(Socket(sockaddr_in("127.0.0.1", 9081)), ("127.0.0.1", 9081)) is None
    assert look(Socket(sockaddr_in6("::1", 9081)), ("::1", 9081, 0, 0)) is None


def test_a_unix_socket() -> None:
    assert look(Socket(None), "/run/x") is None
    assert look(None, None) is None


@pytest.mark.parametrize("local", ["/run/in.sock", None])
def test_nobody_redirects_to_a_unix_socket(local: object) -> None:
    endpoint = Socket(sockaddr_in("10.1.2.3", 80))
    assert look(endpoint, local) is None
    assert endpoint.asked is None


def test_without_a_socket_nothing_is_known() -> None:
    assert look(None, ("127.0.0.1", 9081)) is None
