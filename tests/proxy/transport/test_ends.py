"""Peers that have gone while nothing is read from them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from proxy.transport.ends import Ends


@pytest.fixture
def ends() -> Iterator[Ends]:
    watched = Ends()
    yield watched
    watched.close()


@pytest.fixture
def near_far() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        far = socket.create_connection(server.getsockname())
        near, _ = server.accept()
    with near, far:
        yield near, far


@pytest.mark.parametrize(("lost", "told"), [(False, [False]), (True, [True])], ids=["fin", "rst"])
def test_an_end_is_told_although_bytes_are_unread(
    ends: Ends, near_far: tuple[socket.socket, socket.socket], lost: bool, told: list[bool]
) -> None:
    """At every tick, until it is forgotten."""
    near, far = near_far
    heard: list[bool] = []
    ends.watch(near.fileno(), heard.append)
    far.send(b"unread")
    ends.on_tick()
    assert not heard
    if lost:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        far.close()
    else:
        far.shutdown(socket.SHUT_WR)
    ends.on_tick()
    assert heard == told
    ends.on_tick()
    assert heard == told * 2
    ends.forget(near.fileno())
    ends.on_tick()
    assert heard == told * 2
    assert len(ends) == 0


def test_a_short_pause_never_reaches_the_kernel(ends: Ends, near_far: tuple[socket.socket, socket.socket]) -> None:
    near, far = near_far
    heard: list[bool] = []
    ends.watch(near.fileno(), heard.append)
    ends.forget(near.fileno())
    far.close()
    ends.on_tick()
    assert not heard


def test_who_is_told_may_change(ends: Ends, near_far: tuple[socket.socket, socket.socket]) -> None:
    """As where a tunnel takes a connection over."""
    near, far = near_far
    first: list[bool] = []
    second: list[bool] = []
    ends.watch(near.fileno(), first.append)
    ends.on_tick()
    ends.watch(near.fileno(), second.append)
    far.close()
    ends.on_tick()
    assert (len(first), len(second)) == (0, 1)


def test_a_socket_that_is_closed_by_then_is_left_out(ends: Ends) -> None:
    one, other = socket.socketpair()
    fd = one.fileno()
    one.close()
    ends.watch(fd, lambda _lost: None)
    ends.watch(-1, lambda _lost: None)  # a transport without a socket
    ends.on_tick()
    assert len(ends) == 0
    other.close()


def test_a_socket_that_is_not_watched_may_be_forgotten(
    ends: Ends, near_far: tuple[socket.socket, socket.socket]
) -> None:
    """A transport without a socket as well: whoever closes it need not know."""
    ends.watch(near_far[0].fileno(), lambda _lost: None)
    ends.on_tick()
    ends.forget(-1)
    ends.forget(near_far[1].fileno())
    assert len(ends) == 1


def test_after_the_close_nobody_is_watched(near_far: tuple[socket.socket, socket.socket]) -> None:
    """Neither those of a former tick nor new ones. It may be used again."""
    near, far = near_far
    ends, told = Ends(), []
    ends.watch(-1, told.append)
    assert len(ends) == 0, "there is no socket"
    for before in (1, 2):
        ends.watch(near.fileno(), told.append)
        assert len(ends) == 1
        if before == 2:
            ends.on_tick()
            ends.watch(near.fileno(), told.append)
            assert len(ends) == 1
        ends.close()
        assert len(ends) == 0
    ends.close()
    far.close()
    ends.on_tick()
    assert told == []
    ends.watch(near.fileno(), told.append)
    ends.on_tick()
    assert told == [False]
    ends.close()
