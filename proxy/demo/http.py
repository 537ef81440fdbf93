"""A relay between two sidecars that shows what passes: bytes go through untouched, request heads are noted down.

Knows sockets, HTTP heads, and which headers to note.
With it, the demo shows what was on the wire, not what it expects there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator

import httptools

from proxy.demo.dialects import Headers, is_trace_header

NOTED_HEADS = 64  # older ones are forgotten
CHUNK_BYTES = 64 * 1024


class WireTap:
    """Notes the trace headers of each request that passed, the newest last."""

    def __init__(self) -> None:
        self._heads: deque[Headers] = deque(maxlen=NOTED_HEADS)

    def take(self) -> Headers:
        """Return the headers of the last request, and forget all; empty if there was none."""
        last = self._heads[-1] if self._heads else ()
        self._heads.clear()
        return last

    @contextlib.asynccontextmanager
    async def relay(self, listen: socket.socket, host: str, port: int) -> AsyncIterator[None]:
        """Relay every connection on `listen` (bound, ours to close) to `host:port` until the context ends."""
        running: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._relay_one(reader, writer, host, port))
            running.add(task)
            task.add_done_callback(running.discard)

        server = await asyncio.start_server(connected, sock=listen)
        try:
            yield
        finally:
            server.close()
            ending = list(running)
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def _relay_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
    ) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):  # nothing listens there: the caller sees the end
            far_reader, far_writer = await asyncio.open_connection(host, port)
            with contextlib.closing(far_writer):
                parser = httptools.HttpRequestParser(_HeadNotes(self._heads))
                tasks = [
                    asyncio.create_task(_pump(reader, far_writer, parser)),
                    asyncio.create_task(_pump(far_reader, writer, None)),
                ]
                try:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)  # one side has ended, so both end
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)


class _HeadNotes:
    """httptools' callbacks for one connection: gathers a message's headers, notes them when its head is complete."""

    def __init__(self, heads: deque[Headers]) -> None:
        self._heads = heads
        self._current: list[tuple[str, str]] = []

    def on_message_begin(self) -> None:
        self._current = []

    def on_header(self, name: bytes, value: bytes) -> None:
        text = name.decode("latin-1")
        if is_trace_header(text):
            self._current.append((text, value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._heads.append(tuple(self._current))


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parser: httptools.HttpRequestParser | None
) -> None:
    """Copy until the end of the stream; `parser` is shown the bytes first."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK_BYTES):
            if parser is not None:
                parser.feed_data(data)
            writer.write(data)
            await writer.drain()
