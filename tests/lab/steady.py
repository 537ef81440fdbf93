"""A client with a constant rate of requests, and an app for it. Each has its own thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_REQUEST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n%b\r\nbody"
_END = b"\r\n\r\nbody"
_TICK_S = 0.002
_MOST_WAITING = 100  # requests without an answer; while there are as many, no further ones are sent


class Steady:
    """POSTs on kept connections, some of them on new ones. `lost` are those that were sent and not answered whole."""

    def __init__(self, port: int, *, per_s: int = 1000, fresh_every: int = 5, connections: int = 0) -> None:
        """`port`: of the server. One in `fresh_every` requests comes on a connection of its own; 0: none.

        `connections`: to begin with. Further ones are made when none is idle.
        """
        self.port = port
        self.lost: Counter[str] = Counter()
        self.refused = 0  # connections
        self.answered = 0
        self._per_s = per_s
        self._fresh_every = fresh_every
        self._first = connections
        self._idle: list[_Client] = []
        self._open: set[_Client] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()))

    def __enter__(self) -> Steady:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more, and wait for the last answers."""
        self._stop.set()
        self._thread.join(20)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self._first):
            _, client = await loop.create_connection(lambda: _Client(self), "127.0.0.1", self.port)
            self._idle.append(client)
        start, sent = loop.time(), 0
        while not self._stop.is_set():
            due = int((loop.time() - start) * self._per_s)
            waiting = len(self._open) - len(self._idle) + len(self._tasks)
            if due - sent > self._per_s or waiting > _MOST_WAITING:
                start += (due - sent) / self._per_s  # the machine is busy: a flood would say nothing about the server
                due = sent
            for _ in range(sent, due):
                sent += 1
                self._ask(is_fresh=bool(self._fresh_every) and sent % self._fresh_every == 0)
            await asyncio.sleep(_TICK_S)
        deadline = loop.time() + 5
        while (  # noqa: ASYNC110 - that the last answer has come is no event
            self._tasks or any(client.is_busy for client in self._open)
        ) and loop.time() < deadline:
            await asyncio.sleep(_TICK_S)
        self.lost["no answer"] += sum(client.is_busy for client in self._open)
        for client in tuple(self._open):
            client.transport.abort()
        await asyncio.sleep(0.01)

    def _ask(self, *, is_fresh: bool) -> None:
        if self._idle and not is_fresh:
            self._idle.pop(0).ask(b"")
            return
        task = asyncio.get_running_loop().create_task(self._connect(b"Connection: close\r\n" if is_fresh else b""))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, field: bytes) -> None:
        try:
            _, client = await asyncio.get_running_loop().create_connection(
                lambda: _Client(self), "127.0.0.1", self.port
            )
        except OSError as error:
            self.refused += 1
            if not isinstance(error, ConnectionRefusedError):
                self.lost[f"connecting: {error!r}"] += 1
            return
        if client in self._open:
            client.ask(field)
        else:
            self.lost["closed before it was asked"] += 1

    # --- what connections tell

    def opened(self, client: _Client) -> None:
        self._open.add(client)

    def over(self, client: _Client, *, keeps: bool) -> None:
        self.answered += 1
        if keeps:
            self._idle.append(client)

    def closed(self, client: _Client, why: Exception | None) -> None:
        self._open.discard(client)
        if client in self._idle:
            self._idle.remove(client)
        if client.is_busy and not self._stop.is_set():
            self.lost[f"closed: {why!r}, after {client.received[:20]!r}"] += 1


class _Client(asyncio.Protocol):
    def __init__(self, owner: Steady) -> None:
        self._owner = owner
        self.received = b""
        self.is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._owner.opened(self)

    def ask(self, field: bytes) -> None:
        self.is_busy = True
        self.received = b""
        self.transport.write(_REQUEST % field)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end or len(body) < 2:
            return
        self.is_busy = False
        keeps = b"onnection: close" not in head
        if not head.startswith(b"HTTP/1.1 200 ") or body != b"ok":
            self._owner.lost[_told(head)] += 1
        self._owner.over(self, keeps=keeps)
        if not keeps:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.closed(self, exc)


def _told(head: bytes) -> str:
    """The status line, and what a proxy says of it (RFC 9209)."""
    status, *fields = head.decode("latin-1").split("\r\n")
    return " ".join([status, *(field for field in fields if field.lower().startswith("proxy-status:"))])


class SteadyApp:
    """Answers every POST of a Steady client at once."""

    def __enter__(self) -> SteadyApp:
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = int(self._sock.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(_App, sock=self._sock))
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


class _App(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while _END in self._received:
            _, _, self._received = self._received.partition(_END)
            self._transport.write(_ANSWER)
