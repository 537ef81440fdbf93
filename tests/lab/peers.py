"""The two ends of the wire: a raw client and a scripted upstream.
Blocking sockets, bounded waits, nothing sent but what a test says.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.messages import Message, Stream

WAIT_S = 15.0  # on a busy machine; nothing waits that long where nothing is wrong


class Peer:
    """One connected socket. `stream` reads messages from it, `received` has every byte that came."""

    def __init__(self, sock: socket.socket, settle: Callable[[], None] | None = None) -> None:
        self.sock = sock
        self.received = bytearray()
        self.stream = Stream(self._receive)
        self.settle = settle
        sock.settimeout(WAIT_S)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _receive(self) -> bytes:
        try:
            data = self.sock.recv(262144)
        except (ConnectionResetError, ssl.SSLEOFError):
            return b""
        self.received += data
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, data: bytes, *, piece: int = 0, at: int = 0) -> Self:
        """Send `data`: whole, in pieces of `piece` bytes, or split once at
        offset `at`; the sidecar handles each part before the next is sent.
        """
        if at:
            parts = [data[:at], data[at:]]
        else:
            step = piece or max(len(data), 1)
            parts = [data[index : index + step] for index in range(0, len(data), step)]
        try:
            for index, part in enumerate(parts):
                if index and self.settle:
                    self.settle()
                self.sock.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused in the middle: what was answered can still be read
        return self

    def finish(self) -> Self:
        """Half-close: nothing more will be sent, answers are still read."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.close()

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def exactly(self, count: int) -> bytes:
        return self.stream.exactly(count, "bytes")

    def until(self, marker: bytes) -> bytes:
        return self.stream.until(marker, "bytes")

    def to_end(self) -> bytes:
        """Everything up to the end of the stream (a reset counts as one)."""
        return self.stream.to_end()

    def is_silent(self) -> bool:
        """True if there is nothing to read: no bytes, and no end. Call `Sidecar.settle` before."""
        return not self.stream.buffer and not self.stream.ended and not select.select([self.sock], [], [], 0)[0]

    def is_ended(self) -> bool:
        """Wait for the end; True if it comes with no byte before it."""
        return not self.stream.buffer and not self.stream.more()


class Client(Peer):
    """A raw client of the sidecar."""

    def response(self, method: str = "GET") -> Message:
        return self.stream.response(method)

    def ask(self, data: bytes, method: str = "GET", *, piece: int = 0) -> Message:
        """Send a request and read its answer."""
        return self.send(data, piece=piece).response(method)


class UpstreamConnection(Peer):
    """One connection that the sidecar made to an upstream."""

    def request(self) -> Message:
        return self.stream.request()

    def answer(self, body: bytes = b"ok", status: bytes = b"200 OK", *fields: bytes) -> Message:
        """Read a request, answer it by length, and return the request."""
        request = self.request()
        self.reply(body, status, *fields)
        return request

    def reply(self, body: bytes = b"ok", status: bytes = b"200 OK", *fields: bytes) -> None:
        lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields]
        self.send(b"\r\n".join(lines) + b"\r\n\r\n" + body)


class Upstream:
    """A listening socket whose connections are served by the test, one statement at a time."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        *,
        port: int = 0,
        unix_path: Path | None = None,
        tls: ssl.SSLContext | None = None,
        backlog: int = 128,
    ) -> None:
        self._tls = tls
        self._made: list[UpstreamConnection] = []
        if unix_path is not None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(str(unix_path))
            self.url = f"unix:{unix_path}"
            self.port = 0
        else:
            self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            self.sock.bind((host, port))
            self.port = self.sock.getsockname()[1]
            self.url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"
        self.sock.listen(backlog)
        self.sock.settimeout(WAIT_S)

    @property
    def authority(self) -> bytes:
        return self.url.split("//")[-1].encode()

    def accept(self) -> UpstreamConnection:
        """The next connection; TLS is made here where the upstream speaks it."""
        sock, _ = self.sock.accept()
        sock.settimeout(WAIT_S)
        if self._tls is not None:
            try:
                sock = self._tls.wrap_socket(sock, server_side=True)
            except OSError:
                sock.close()
                raise
        made = UpstreamConnection(sock)
        self._made.append(made)
        return made

    def busy(self) -> UpstreamConnection:
        """The connection with the next request, new or waiting."""
        while True:
            known = {made.sock: made for made in self._made if made.sock.fileno() >= 0 and not made.stream.ended}
            ready, _, _ = select.select([self.sock, *known], [], [], WAIT_S)
            if not ready:
                raise TimeoutError("no request came")
            if self.sock in ready:
                return self.accept()
            if known[ready[0]].stream.more():
                return known[ready[0]]

    def answer(self, body: bytes = b"ok", status: bytes = b"200 OK", *fields: bytes) -> Message:
        """Answer the next request, on whatever connection it comes, and return it."""
        return self.busy().answer(body, status, *fields)

    def has_caller(self) -> bool:
        """True if a connection waits to be accepted. Call `Sidecar.settle` before."""
        return bool(select.select([self.sock], [], [], 0)[0])

    def shut(self) -> None:
        """End every accepted connection, even while it is being read."""
        for connection in self._made:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Close every connection that was accepted."""
        for connection in self._made:
            connection.close()
        self._made.clear()

    def close(self) -> None:
        self.hang_up()
        self.sock.close()
