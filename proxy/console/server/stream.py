"""What is live, as server-sent events (WHATWG HTML, 9.2).

A slow reader loses rows, which it is told, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import web

from proxy.console.filter.rows import fits
from proxy.console.filter.terms import Filter, read_filter

_MOST_KEPT: Final = 2_000  # rows, for a reader that comes back with Last-Event-ID
_MOST_WAITING: Final = 1_000  # rows for one reader
_MOST_READERS: Final = 64
_BEAT_S: Final = 15.0
_PATIENCE_S: Final = 10.0  # for a reader to take what was written

Row = dict[str, Any]
Event = tuple[int, Row]


class _Listener:
    """One reader."""

    def __init__(self, wanted: Filter) -> None:
        self.wanted = wanted
        self.waiting: deque[Event] = deque()
        self.lost = 0
        self.wake = asyncio.Event()

    def put(self, event: Event) -> int:
        """Returns how many rows were lost by that."""
        if not fits(event[1], self.wanted):
            return 0
        if len(self.waiting) >= _MOST_WAITING:
            self.lost += 1
            return 1
        self.waiting.append(event)
        self.wake.set()
        return 0


class Stream:
    """See the module."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._kept: deque[Event] = deque(maxlen=_MOST_KEPT)
        self._listeners: set[_Listener] = set()
        self._last = 0
        self._is_closed = asyncio.Event()
        self.lost = 0  # rows that slow readers did not get
        self.cut = 0  # readers that took nothing for too long
        self.refused = 0

    @property
    def readers(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def publish(self, rows: Sequence[Row]) -> None:
        """From the event loop: new rows, oldest first."""
        for row in rows:
            self._last += 1
            event = (self._last, row)
            self._kept.append(event)
            for listener in self._listeners:
                self.lost += listener.put(event)

    def from_thread(self, loop: asyncio.AbstractEventLoop) -> Callable[[Sequence[Row]], None]:
        """The same, for the writer's thread."""

        def publish(rows: Sequence[Row]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self.publish, rows)

        return publish

    def close(self) -> None:
        """End every answer."""
        self._is_closed.set()
        for listener in self._listeners:
            listener.wake.set()

    async def serve(self, request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
        """The answer to GET /api/v1/stream."""
        if len(self._listeners) >= _MOST_READERS:
            self.refused += 1
            raise web.HTTPServiceUnavailable(reason="Too many pages listen already.")
        listener = _Listener(read_filter(request.query.get("q", "")))
        response = web.StreamResponse(
            headers={**headers, "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        self._resume(listener, request.headers.get("Last-Event-ID", ""))
        self._listeners.add(listener)
        try:
            hello = json.dumps({"version": self._version})
            await self._write(response, f"retry: 2000\nevent: hello\ndata: {hello}\n\n")
            await self._pump(listener, response)
        except (ConnectionError, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                self.cut += 1
                if request.transport is not None:
                    request.transport.abort()
        finally:
            self._listeners.discard(listener)
        return response

    def _resume(self, listener: _Listener, last: str) -> None:
        """What came since the reader left, or how much of it is gone."""
        if not last.isdecimal() or len(last) > 18:
            return
        seen = int(last)
        first = self._kept[0][0] if self._kept else self._last + 1
        if seen > self._last:  # of a console that was here before
            listener.lost += 1
            return
        listener.lost += max(0, first - seen - 1)
        for event in self._kept:
            if event[0] > seen:
                self.lost += listener.put(event)

    async def _pump(self, listener: _Listener, response: web.StreamResponse) -> None:
        while not self._is_closed.is_set():
            if not listener.waiting and not listener.lost:
                listener.wake.clear()
                try:
                    async with asyncio.timeout(_BEAT_S):
                        await listener.wake.wait()
                except TimeoutError:
                    await self._write(response, ": still here\n\n")
                continue
            text = []
            while listener.waiting:
                number, row = listener.waiting.popleft()
                text.append(f"id: {number}\nevent: row\ndata: {json.dumps(row, ensure_ascii=False)}\n\n")
            if listener.lost:
                text.append(f"event: lost\ndata: {json.dumps({'missed': listener.lost})}\n\n")
                listener.lost = 0
            await self._write(response, "".join(text))

    async def _write(self, response: web.StreamResponse, text: str) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            await response.write(text.encode("utf-8", "replace"))
