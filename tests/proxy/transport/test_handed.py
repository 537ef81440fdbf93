"""Sockets that the service manager hands over: which are taken, and what is refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from proxy.errors import StartError
from proxy.plan import Address
from proxy.transport.handed import handed_over

PID = 4242


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as kept:
        yield kept


def placed(stack: ExitStack, *sockets: socket.socket) -> int:
    """Copies of `sockets` at consecutive descriptors; the first of them."""
    first = 200
    for offset, one in enumerate(sockets):
        os.dup2(one.fileno(), first + offset)
        one.close()
    return first


def environ(count: int, pid: int = PID) -> dict[str, str]:
    return {"LISTEN_FDS": str(count), "LISTEN_PID": str(pid)}


def test_each_is_found_by_its_address(stack: ExitStack, tmp_path: Path) -> None:
    tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    v6 = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    path = str(tmp_path / "in.sock")
    unix = stack.enter_context(socket.socket(socket.AF_UNIX))
    unix.bind(path)
    unix.listen()
    expected = (Address(*tcp.getsockname()[:2]), Address(*v6.getsockname()[:2]), Address(unix_path=path))
    handed = handed_over(environ(3), PID, placed(stack, tcp, v6, unix))
    assert handed.addresses() == expected
    for address in expected:
        copy = handed.take(address)
        assert copy is not None
        assert not copy.get_inheritable()
        copy.close()
    assert handed.take(Address("127.0.0.1", 1)) is None
    handed.close()
    assert handed.addresses() == ()


@pytest.mark.parametrize("announced", [{}, environ(1, PID + 1), {"LISTEN_PID": str(PID), "LISTEN_FDS": "x"}])
def test_what_is_not_for_us_is_left_alone(announced: dict[str, str]) -> None:
    """A parent's variables reach its children, too: LISTEN_PID says whose they are."""
    assert handed_over(announced, PID, first_fd=900).addresses() == ()


def test_another_kind_is_refused(stack: ExitStack) -> None:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    first = placed(stack, datagrams)
    with pytest.raises(StartError, match="is not a listening stream socket: use ListenStream="):
        handed_over(environ(1), PID, first)


def test_what_is_not_a_socket_is_refused() -> None:
    with open(os.devnull) as file:  # noqa: PTH123 - a descriptor is wanted
        os.dup2(file.fileno(), 210)
    try:
        with pytest.raises(StartError, match="file descriptor 210 of the service manager is not a socket"):
            handed_over(environ(1), PID, 210)
    finally:
        os.close(210)
