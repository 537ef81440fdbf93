"""What asyncio's transports cannot say or do, asked of the socket below. May know sockets, nothing else."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any, Final, cast

NO_DESCRIPTOR: Final = -1
_NONE: Final = bytes(4)
_READ_BYTES: Final = 64 * 1024
_MOST_KEEPALIVE_S: Final = 32767  # Linux takes no more
_PROBE_EVERY_S: Final = 10
_PROBES: Final = 6  # without an answer, and the connection has failed
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s


def protocols(make: Callable[[], Any]) -> Callable[[], asyncio.Protocol]:
    """A protocol factory for the event loop, of anything with the methods of an asyncio.Protocol.

    Connections do not inherit from it: a compiled class cannot, and event loops only need the methods.
    """
    return cast(Callable[[], asyncio.Protocol], make)


def is_of_this_machine(ip: str) -> bool:
    """Whether the address `ip` is one of this machine's (in its network namespace); loopback aside.

    The system would take it as its own end of a connection to it. Nothing is sent.
    """
    try:
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((ip, 9))
            return bool(probe.getsockname()[0] == ip)
    except OSError:  # cannot be reached, and so is not here
        return False


def keep_alive(endpoint: Any, idle_s: float) -> None:
    """Let the system ask a peer that has been silent for `idle_s` whether it is still there; 0: never.

    `endpoint`: a socket. What a listening one is told counts for those that are accepted from then on.
    """
    if endpoint.family == socket.AF_UNIX:
        return
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, bool(idle_s))
    if not idle_s:
        return
    idle = min(max(1, round(idle_s)), _MOST_KEEPALIVE_S)
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, min(idle, _PROBE_EVERY_S))
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)


def address_of(peer: object) -> bytes:
    """The IP address of a `peername`; empty for a Unix socket."""
    host = str(peer[0]) if isinstance(peer, tuple) else ""
    if host.startswith("::ffff:") and "." in host:  # an IPv4 client of a dual-stack socket (RFC 4291, 2.5.5.2)
        host = host[7:]
    return host.encode("ascii")


def descriptor(transport: asyncio.BaseTransport) -> int:
    """Its file descriptor, or NO_DESCRIPTOR."""
    endpoint = transport.get_extra_info("socket")
    return endpoint.fileno() if endpoint is not None else NO_DESCRIPTOR


def watch(fd: int) -> select.poll:
    """An object whose `poll(0)` says whether the kernel holds
    bytes or an end from the peer that the event loop has not seen.
    Keep it, for speed: making one costs more than asking it.
    """
    watching = select.poll()
    if fd != NO_DESCRIPTOR:
        watching.register(fd, select.POLLIN)
    return watching


def has_unread(fd: int) -> bool:
    """Whether the kernel holds bytes that have not been read from the socket `fd` yet."""
    if fd == NO_DESCRIPTOR:
        return False
    waiting = bytearray(4)
    try:
        fcntl.ioctl(fd, termios.FIONREAD, waiting)
    except (OSError, ValueError):  # closed meanwhile
        return False
    return waiting != _NONE


def take_unread(fd: int, most_bytes: int) -> bytes:
    """What the kernel still holds of the peer's bytes, once a transport has given the connection up.

    A write that fails ends a transport at once, although the peer may have said why before it closed.
    """
    found = bytearray()
    while fd != NO_DESCRIPTOR and (room := most_bytes - len(found)):
        try:
            piece = os.read(fd, min(_READ_BYTES, room))
        except OSError:  # nothing left, or the reset that the write met
            break
        if not piece:
            break
        found += piece
    return bytes(found)


def reset(transport: asyncio.Transport) -> None:
    """Close with RST, so that the peer cannot take the end of the connection for the end of a message."""
    endpoint = transport.get_extra_info("socket")
    if endpoint is not None and endpoint.family != socket.AF_UNIX:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
