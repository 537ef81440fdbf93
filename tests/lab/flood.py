"""Peers that send as fast as they can, in processes of their own: `python flood.py app`, `python flood.py up PORT ...`.

Sending costs them almost nothing, so the sidecar is measured.
Standard library only; a process ends with its standard input.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import threading

_BLOCK_BYTES = 1 << 20
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def block(size: int) -> bytes:
    """About 1 MiB: chunks of `size` bytes; plain bytes where `size` is 0."""
    chunk = b"%x\r\n%b\r\n" % (size, b"x" * size) if size else b"x"
    return chunk * (_BLOCK_BYTES // len(chunk))


def flood(peer: socket.socket, data: bytes) -> None:
    """Send `data` again and again, until the peer is gone."""
    with contextlib.suppress(OSError):
        while True:
            peer.sendall(data)


def swallow(peer: socket.socket) -> None:
    """Read everything, until the peer is gone."""
    room = bytearray(_BLOCK_BYTES)
    with contextlib.suppress(OSError):
        while peer.recv_into(room):
            pass


def serve(peer: socket.socket) -> None:
    """The app: `GET /down/N` is answered by chunks of N bytes for ever, a POST is swallowed, the rest gets `ok`."""
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    with contextlib.suppress(OSError):
        while piece := peer.recv(65536):
            received += piece
            if b"\r\n\r\n" not in received:
                continue
            if wanted := re.match(rb"GET /down/(\d+) ", received):
                size = int(wanted[1])
                framing = b"Transfer-Encoding: chunked" if size else b"X-Framing: close"
                peer.sendall(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
                flood(peer, block(size))
            elif received.startswith(b"POST"):
                swallow(peer)
            else:
                peer.sendall(_ANSWER * received.count(b"\r\n\r\n"))
            received = b""


def attack(kind: str, port: int, size: int) -> None:
    """One connection of a client: sends chunks (`up`), asks for them (`down`), or sends requests (`pipelined`)."""
    peer = socket.create_connection(("127.0.0.1", port))
    if kind == "up":
        framing = b"Transfer-Encoding: chunked" if size else b"Content-Length: %d" % (1 << 50)
        peer.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing)
        flood(peer, block(size))
    elif kind == "down":
        peer.sendall(b"GET /down/%d HTTP/1.1\r\nHost: a\r\n\r\n" % size)
        swallow(peer)
    else:
        threading.Thread(target=swallow, args=(peer,), daemon=True).start()
        flood(peer, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 9000)


def main(kind: str, *numbers: str) -> None:
    """`app`: prints its port. Otherwise `kind PORT CONNECTIONS SIZE`."""
    if kind == "app":
        server = socket.create_server(("127.0.0.1", 0), backlog=256)
        print(server.getsockname()[1], flush=True)

        def accept() -> None:
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
    else:
        port, connections, size = map(int, numbers)
        for _ in range(connections):
            threading.Thread(target=attack, args=(kind, port, size), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
