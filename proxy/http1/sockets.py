"""What asyncio's transports do not say or do: asked of the socket below. May know sockets, nothing else."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from typing import Final

_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s


def has_unread(transport: asyncio.Transport) -> bool:
    """Whether the kernel holds bytes for us that the transport has not read yet."""
    endpoint = transport.get_extra_info("socket")
    if endpoint is None or endpoint.fileno() < 0:
        return False
    waiting = fcntl.ioctl(endpoint.fileno(), termios.FIONREAD, b"\0" * 4)
    return bool(struct.unpack("i", waiting)[0])


def reset(transport: asyncio.Transport) -> None:
    """Close with RST, so that the peer cannot take the end of the connection for the end of a message."""
    endpoint = transport.get_extra_info("socket")
    if endpoint is not None and endpoint.family != socket.AF_UNIX:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
