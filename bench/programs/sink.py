"""A collector that keeps nothing: answers 200 to every POST (OTLP/HTTP, Zipkin), and counts.

`python -m bench.programs.sink PORT`. GET answers `{"posts": n, "bytes": n}`. Cheap by design: it shares its core
with the load generator, so bodies are skipped by their framing and never parsed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools
import uvloop

_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Count:
    """What has arrived so far."""

    __slots__ = ("bytes", "posts")

    def __init__(self) -> None:
        self.posts = 0
        self.bytes = 0


class Sink(asyncio.Protocol):
    """One connection of an exporter."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_body(self, body: bytes) -> None:
        self._count.bytes += len(body)

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"POST":
            self._count.posts += 1
            self._transport.write(_EMPTY)
            return
        body = b'{"posts": %d, "bytes": %d}' % (self._count.posts, self._count.bytes)
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def serve(port: int) -> None:
    """Serves until the process is ended."""
    count = Count()
    server = await asyncio.get_running_loop().create_server(lambda: Sink(count), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
