"""What is asked of the socket itself."""

from __future__ import annotations

import os
import socket

import pytest
from lab.transports import FakeTransport

from proxy.transport.sockets import (
    address_of,
    descriptor,
    has_unread,
    is_of_this_machine,
    keep_alive,
    reset,
    take_unread,
    watch,
)

TIMES = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)


def test_has_unread() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert not has_unread(here.fileno())
        there.send(b"x")
        assert has_unread(here.fileno())
        here.recv(1)
        assert not has_unread(here.fileno())


def test_a_closed_socket_has_nothing() -> None:
    assert not has_unread(-1)
    here, there = socket.socketpair()
    number = here.fileno()
    here.close()
    assert not has_unread(number)
    assert (descriptor(FakeTransport(socket=there)), descriptor(FakeTransport())) == (there.fileno(), -1)
    there.close()


def test_watch() -> None:
    """Bytes and the end of the peer are told, and nothing where there is nothing."""
    here, there = socket.socketpair()
    with here, there:
        watching = watch(here.fileno())
        assert not watching.poll(0)
        there.send(b"x")
        assert watching.poll(0)
        here.recv(1)
        assert not watching.poll(0)
        there.close()
        assert watching.poll(0)
    assert not watch(-1).poll(0)


@pytest.mark.parametrize(
    ("idle_s", "told"), [(0.2, (1, 1, 1)), (1.4, (1, 1, 1)), (2, (1, 2, 2)), (60, (1, 60, 10)), (1e9, (1, 32767, 10))]
)
def test_how_long_a_silent_peer_is_left_alone(idle_s: float, told: tuple[int, int, int]) -> None:
    """In whole seconds, from 1 to what the kernel takes; then it is asked again every 10 s at most, six times."""
    options = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), *((socket.IPPROTO_TCP, one) for one in TIMES))
    with socket.socket() as made:
        keep_alive(made, idle_s)
        assert tuple(made.getsockopt(*option) for option in options) == (*told, 6)


def test_a_peer_that_may_be_silent_for_ever_is_not_asked() -> None:
    with socket.socket() as made:
        keep_alive(made, 0)
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


def test_who_is_on_a_unix_socket_is_not_asked() -> None:
    here, there = socket.socketpair()
    with here, there:
        keep_alive(here, 1)
        assert here.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("10.0.0.1", 5), b"10.0.0.1"),
        (("::ffff:10.0.0.1", 5, 0, 0), b"10.0.0.1"),
        (("::ffff:a00:1", 5, 0, 0), b"::ffff:a00:1"),
        (("2001:db8::1", 5, 0, 0), b"2001:db8::1"),
        ("/run/a.sock", b""),
        (None, b""),
    ],
)
def test_the_address_of_a_peer(peer: object, address: bytes) -> None:
    """An IPv4 client at a socket of IPv6 as well."""
    assert address_of(peer) == address


@pytest.mark.parametrize(
    ("ip", "is_ours"),
    [("127.0.0.1", True), ("127.9.9.9", False), ("::1", True), ("192.0.2.1", False), ("255.255.255.255", False)],
)
def test_an_address_of_this_machine(ip: str, is_ours: bool) -> None:
    """Others of the loopback network lead here as well, but are no address of an interface."""
    assert is_of_this_machine(ip) is is_ours


@pytest.mark.parametrize(("most", "taken"), [(5, b"hello"), (4, b"hell"), (9, b"hello"), (0, b"")])
def test_what_is_left_of_a_peers_bytes(most: int, taken: bytes) -> None:
    """Its end, or nothing more, is the end of them."""
    here, there = socket.socketpair()
    with here:
        here.setblocking(False)
        there.send(b"hello")
        assert take_unread(here.fileno(), most) == taken
        there.send(b"x" * 100_000)
        assert len(take_unread(here.fileno(), 100_100)) == 100_000 + 5 - len(taken)
        there.close()
        assert take_unread(here.fileno(), 10) == b""
    assert take_unread(-1, 10) == b""
    with open(os.devnull, "wb") as other:  # noqa: PTH123 - a descriptor that cannot be read
        assert take_unread(other.fileno(), 10) == b""


def test_a_reset_is_not_an_orderly_end() -> None:
    """Over TCP; a Unix socket has none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
        transport = FakeTransport(socket=ours)
        reset(transport)
        assert transport.is_aborted
        ours.close()
        with theirs, pytest.raises(ConnectionResetError):
            theirs.recv(1)
    for endpoint in socket.socketpair():
        with endpoint:
            transport = FakeTransport(socket=endpoint)
            reset(transport)
            assert transport.is_aborted
    transport = FakeTransport()
    reset(transport)
    assert transport.is_aborted
