"""What the data plane's listeners and the admin listener have in common when they bind an address.

May know addresses, socket files and how binding fails. Must not know who listens, or the event loop.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final

from proxy.errors import StartError
from proxy.plan import Address

FileIdentity = tuple[int, int]  # device and inode


def cannot_listen(listener: str, bind: Address, error: OSError) -> StartError:
    """The error for a `listener` that could not be bound: its name, the address, and the system's reason."""
    is_name_unknown = isinstance(error, socket.gaierror)
    reason = os.strerror(error.errno) if error.errno and not is_name_unknown else error.strerror or str(error)
    return StartError(f"listener {listener} cannot listen on {bind}: {reason}")


_SO_ATTACH_REUSEPORT_CBPF: Final = 51  # asm-generic/socket.h; Python has no name for it
_RETURN_CONSTANT: Final = 0x06  # BPF_RET | BPF_K


def pass_on(listening: socket.socket) -> None:
    """Let the kernel give further clients to the next process that listens at the same address with SO_REUSEPORT.

    Of two the older is the first in the kernel's list, and the program that is attached here names the second.
    If there is none, the kernel goes on as without a program (socket(7)).
    Then whoever closes can serve its own queue to the end, without new clients coming in behind the last look.
    Elsewhere than on Linux nothing happens.
    """
    program = ctypes.create_string_buffer(struct.pack("HxxI", _RETURN_CONSTANT, 1))
    with contextlib.suppress(OSError):
        option = struct.pack("HP", 1, ctypes.addressof(program))
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, option)


def bind_every_interface(port: int, *, v6_only: bool, reuse_port: bool = False) -> socket.socket:
    """A socket bound to `[::]` and `port`; for IPv6 alone if `v6_only`, else as the system has it. Raises OSError."""
    bound = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, True)
        if v6_only:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
        bound.bind(("::", port))
    except BaseException:
        bound.close()
        raise
    return bound


def remove_stale_socket(path: str) -> None:
    """Remove a socket file that nobody listens on, left by a process that died.
    Raises OSError if a process does, or if it is another kind of file.
    """
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
        except BlockingIOError:  # a listener with a full queue
            pass
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def path_to_bind(path: str, *, reuse_port: bool) -> str:
    """Where to bind a Unix socket that shall stand at `path`. Raises OSError as `remove_stale_socket` does.

    With `reuse_port` it is a path of our own, for `take_path`: so
    another process keeps its queue, and new clients come to us.
    """
    own = f"{path}.{os.getpid()}" if reuse_port else path
    remove_stale_socket(own)
    return own


def take_path(bound: str, path: str) -> None:
    """Put the socket that is bound at `bound` in place of what stands at `path`."""
    if bound != path:
        Path(bound).replace(path)


def file_identity(path: str) -> FileIdentity | None:
    """The file at `path`; None if there is none."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def remove_own_socket(path: str, own: FileIdentity | None) -> None:
    """Remove the socket file of a closed listener, unless another process has replaced it meanwhile."""
    if own is not None and file_identity(path) == own:
        Path(path).unlink(missing_ok=True)
