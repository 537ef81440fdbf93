"""Very many bytes, and a reader that stalls: tests everything between two sockets."""

from __future__ import annotations

import select
import socket

MIB = 1024 * 1024
STALL_S = 0.3  # not writable for so long: everything between the two ends is full
STUCK_S = 20.0


def pump(source: socket.socket, sink: socket.socket, total: int, *, stalls: int) -> None:
    """Send `total` zero bytes into `source`, read whatever comes out of `sink` until `total` have.

    First nothing is read until nothing can be sent any more, then `stalls - 1` times again after 8 MiB each.
    Then both run as fast as they can.
    Raises TimeoutError where nothing moves for 20 s.
    """
    block = memoryview(bytearray(MIB))
    room = bytearray(MIB)
    sent = got = 0
    source.setblocking(False)
    sink.setblocking(False)
    budget = 0  # how much may be read before the next stall
    while got < total:
        reading = budget > 0 or stalls == 0
        readable, writable, _ = select.select(
            [sink] if reading else [], [source] if sent < total else [], [], STALL_S if not reading else STUCK_S
        )
        if not readable and not writable:
            if reading:
                raise TimeoutError(f"nothing moves: {sent} sent, {got} arrived")
            stalls -= 1
            budget = 8 * MIB
        if writable:
            sent += source.send(block[: min(MIB, total - sent)])
        if readable:
            count = sink.recv_into(room, min(MIB, total - got))
            if not count:
                raise EOFError(f"ended after {got} of {total} bytes")
            got += count
            budget -= count
    source.setblocking(True)
    sink.setblocking(True)
    source.settimeout(STUCK_S)
    sink.settimeout(STUCK_S)


def fill(sock: socket.socket, most: int = 64 * MIB) -> int:
    """Send zero bytes until nobody takes them any more, or `most` have been sent; how many that were."""
    sock.settimeout(STALL_S)
    sent = 0
    try:
        while sent < most:
            sent += sock.send(bytes(65536))
    except (TimeoutError, ConnectionError):
        pass
    sock.settimeout(STUCK_S)
    return sent
