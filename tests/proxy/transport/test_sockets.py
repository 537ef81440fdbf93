"""What is asked of the socket itself."""

from __future__ import annotations

import socket

import pytest

from proxy.transport.sockets import has_unread, keep_alive, watch

TIMES = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)


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
    """In whole seconds, from 1 to what the kernel takes; then it is asked again every 10 s at most."""
    options = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), *((socket.IPPROTO_TCP, one) for one in TIMES))
    with socket.socket() as made:
        keep_alive(made, idle_s)
        assert tuple(made.getsockopt(*option) for option in options) == told


def test_a_peer_that_may_be_silent_for_ever_is_not_asked() -> None:
    with socket.socket() as made:
        keep_alive(made, 0)
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
