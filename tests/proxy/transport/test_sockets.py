"""What is asked of the socket itself."""

from __future__ import annotations

import socket

from proxy.transport.sockets import has_unread, watch


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
