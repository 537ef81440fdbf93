"""Socket files, and what is said of an address that cannot be bound."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from proxy.plan import Address
from proxy.transport.binding import cannot_listen, file_identity, remove_own_socket, remove_stale_socket


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
