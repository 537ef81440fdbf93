"""What is asked of the socket itself."""

from __future__ import annotations

import socket

from proxy.http1.sockets import has_unread


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
