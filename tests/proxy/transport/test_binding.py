"""Socket files, and what is said of an address that cannot be bound."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from proxy.plan import Address
from proxy.transport.binding import (
    bind_every_interface,
    cannot_listen,
    file_identity,
    pass_on,
    path_to_bind,
    remove_own_socket,
    remove_stale_socket,
    take_path,
)


@pytest.mark.parametrize(
    ("bind", "error", "said"),
    [
        (Address("127.0.0.1", 80), OSError(errno.EADDRINUSE, "in many words"), "127.0.0.1:80: Address already in use"),
        (Address("::1", 80), OSError(errno.EACCES, ""), "[::1]:80: Permission denied"),
        (Address(unix_path="/a"), OSError(errno.ENOENT, ""), "unix:/a: No such file or directory"),
        (Address("a", 80), socket.gaierror(-2, "Name or service not known"), "a:80: Name or service not known"),
        (Address("a", 80), OSError("something else"), "a:80: something else"),
    ],
)
def test_what_cannot_be_bound_is_named_with_its_reason(bind: Address, error: OSError, said: str) -> None:
    assert str(cannot_listen("admin", bind, error)) == f"listener admin cannot listen on {said}"


def listening(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(0)
    return server


def test_a_socket_file_that_nobody_listens_on_makes_room(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    remove_stale_socket(str(path))  # nothing there
    listening(path).close()
    assert path.exists()
    remove_stale_socket(str(path))
    assert not path.exists()


@pytest.mark.parametrize("full", [False, True])
def test_one_that_somebody_listens_on_stays(tmp_path: Path, full: bool) -> None:
    """Also where so many wait for them that one more would have to."""
    path = tmp_path / "a.sock"
    with listening(path), socket.socket(socket.AF_UNIX) as waiting:
        if full:
            waiting.connect(str(path))
        with pytest.raises(OSError, match="Address already in use"):
            remove_stale_socket(str(path))
    assert path.exists()


def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="File exists"):
        remove_stale_socket(str(path))
    remove_own_socket(str(path), (0, 0))
    remove_own_socket(str(path), None)
    assert path.exists()
    remove_own_socket(str(path), file_identity(str(path)))
    assert file_identity(str(path)) is None


def sharing(port: int = 0) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    made.listen(100)
    made.setblocking(False)
    return made


def take_all(at: socket.socket) -> int:
    taken = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            at.accept()[0].close()
            taken += 1
    return taken


@pytest.mark.skipif(sys.platform != "linux", reason="SO_ATTACH_REUSEPORT_CBPF is Linux's")
def test_who_passes_on_gets_no_further_clients() -> None:
    """As long as there is another. And so it goes on from each to the next."""
    with ExitStack() as sockets:
        first = sockets.enter_context(sharing())
        port = first.getsockname()[1]

        def connect(count: int) -> None:
            for _ in range(count):
                sockets.enter_context(socket.create_connection(("127.0.0.1", port), 5))

        pass_on(first)
        connect(5)
        assert take_all(first) == 5
        second = sockets.enter_context(sharing(port))
        pass_on(first)
        connect(30)
        assert (take_all(first), take_all(second)) == (0, 30)
        first.close()
        connect(5)
        assert take_all(second) == 5
        third = sockets.enter_context(sharing(port))
        pass_on(second)
        connect(30)
        assert (take_all(second), take_all(third)) == (0, 30)


@pytest.mark.parametrize("v6_only", [False, True])
@pytest.mark.parametrize("reuse_port", [False, True])
def test_every_interface_is_bound_as_asked(v6_only: bool, reuse_port: bool) -> None:
    """A taken port says so, and leaves nothing open."""
    with bind_every_interface(0, v6_only=v6_only, reuse_port=reuse_port) as bound:
        host, port = bound.getsockname()[:2]
        assert (host, bound.type) == ("::", socket.SOCK_STREAM)
        assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
        assert bool(bound.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)) is reuse_port
        system = bool(int(Path("/proc/sys/net/ipv6/bindv6only").read_text()))
        assert bool(bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)) is (v6_only or system)
        bound.listen()
        if reuse_port:
            bind_every_interface(port, v6_only=v6_only, reuse_port=True).close()
        with pytest.raises(OSError, match="Address already in use"):
            bind_every_interface(port, v6_only=v6_only)


@pytest.mark.parametrize("reuse_port", [False, True])
def test_a_socket_file_that_is_shared_is_bound_beside_its_place(tmp_path: Path, reuse_port: bool) -> None:
    """Then it takes the place at once: nobody finds it empty, and who is in the other's queue stays there."""
    path = tmp_path / "a.sock"
    if reuse_port:
        path.write_text("the other's", encoding="utf-8")
    own = path_to_bind(str(path), reuse_port=reuse_port)
    assert own == (f"{path}.{os.getpid()}" if reuse_port else str(path))
    with listening(Path(own)):
        take_path(own, str(path))
        assert path.is_socket()
        assert [each.name for each in tmp_path.iterdir()] == ["a.sock"]
        with pytest.raises(OSError, match="Address already in use"):
            path_to_bind(str(path), reuse_port=False)
