"""A console with made-up answers, for what real traffic cannot show: fifty peers, forty services, 5,000 spans, a broken
stream. Everything else is tested through the product's own server.

It serves the page as the product does, under the same Content-Security-Policy.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from pathlib import Path
from typing import Any

from aiohttp import web

PAGE = Path(__file__).parents[2] / "proxy" / "console" / "page"
DATA = json.loads((Path(__file__).parent / "data.json").read_text(encoding="utf-8"))
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
Answer = dict[str, Any]
STORE = {"kind": "memory", "path": None, "bytes": 81_264_640, "limit_bytes": 268_435_456, "traces": 12, "spans": 180,
         "requests": 70, "oldest": 1.796e12}  # fmt: skip
CONSOLE: Answer = {
    "console": {
        "version": "0.2.0",
        "started": 1.796e12,
        "store": STORE,
        "received": {"traces": 180, "logs": 2, "metrics": 40},
        "refused": {"host": 1},
        "rejected": {},
        "lost": {},
        "forward": None,
    },
    "sentence": "The console holds 180 spans of 12 traces. 1 sidecar reports to it.",
}


def moved_to_now(data: Any, by: float) -> Any:
    """The same with its times (Unix ms) moved, so that "last 28 days" is now."""
    if isinstance(data, dict):
        return {key: moved_to_now(value, by) for key, value in data.items()}
    if isinstance(data, list):
        return [moved_to_now(value, by) for value in data]
    return data + by if isinstance(data, int | float) and not isinstance(data, bool) and data > 1e12 else data


class StandIn:
    """One console in a thread of its own. Tests put what they need into `answers`; `streams` are the open ones."""

    def __init__(self) -> None:
        self.data: Answer = moved_to_now(DATA, time.time() * 1000 - DATA["now"])
        self.token: str | None = None
        self.asked: list[str] = []
        self.cuts = 0  # searches that end by their time before they found anything
        self.slow: dict[str, threading.Event] = {}  # path below /api/v1 -> when it may be answered
        self._streams: set[asyncio.Queue[tuple[str, Any] | None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self._runner: web.AppRunner | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._run(self._start())

    async def _start(self) -> None:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/api/v1/stream", self._stream)
        app.router.add_post("/api/v1/login", self._login)
        app.router.add_route("*", "/api/v1/{path:.*}", self._api)
        app.router.add_get("/{path:.*}", self._file)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    def stop(self) -> None:
        """Break all streams and refuse connections."""
        self._run(self._stop())

    async def _stop(self) -> None:
        for queue in self._streams:
            queue.put_nowait(None)
        await self._runner.cleanup()  # type: ignore[union-attr]

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def empty(self) -> None:
        """As after the first start."""
        for name in ("requests", "traces", "sessions"):
            self.data[name] = []
        self.data["doctor"] |= {"services": [], "findings": []}
        self.data["migration"] |= {"cells": [], "verdicts": []}
        self.data["settings"] = {"sidecars": [], "sentence": ""}

    def send(self, event: str, *data: Any) -> None:
        """Events to every open stream."""

        async def put() -> None:
            for queue in self._streams:
                for each in data:
                    queue.put_nowait((event, each))

        self._run(put())

    def wait_for_streams(self, count: int = 1) -> None:
        async def hold() -> None:
            while len(self._streams) < count:  # noqa: ASYNC110 - aiohttp has no event for it
                await asyncio.sleep(0.01)

        self._run(asyncio.wait_for(hold(), 20))

    # -- what it serves

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        is_open = request.path == "/api/v1/login" or not request.path.startswith("/api/")
        if self.token and not is_open and request.cookies.get("console") != self.token:
            return web.json_response({"title": "No token", "detail": "A token is needed."}, status=401)
        response: web.StreamResponse = await handler(request)
        return response

    async def _login(self, request: web.Request) -> web.Response:
        if (await request.json())["token"] != self.token:
            return web.json_response({"title": "Wrong token", "detail": "This is not the token."}, status=401)
        response = web.Response(status=204)
        response.set_cookie("console", str(self.token), httponly=True, samesite="Strict")
        return response

    async def _file(self, request: web.Request) -> web.Response:
        path = PAGE / (request.match_info["path"] or "index.html")
        if path.suffix not in TYPES or not path.is_file():
            raise web.HTTPNotFound
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        return web.Response(
            text=path.read_text(encoding="utf-8"), content_type=TYPES[path.suffix], charset="utf-8", headers=headers
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()
        await response.write(b'event: hello\ndata: {"version": "0"}\n\n')
        self._streams.add(queue)
        try:
            while (event := await queue.get()) is not None:
                await response.write(f"event: {event[0]}\ndata: {json.dumps(event[1])}\n\n".encode())
        finally:
            self._streams.discard(queue)
        return response

    async def _api(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        path = request.match_info["path"]
        body = await request.text() if request.method == "POST" else None
        if path in self.slow:
            await asyncio.to_thread(self.slow[path].wait, 20)
        answer = self.answer(path, request.query, body)
        if answer is None:
            return web.json_response({"title": "Not found", "detail": f"There is no {path}."}, status=404)
        return web.json_response(answer)

    def answer(self, path: str, query: Any, body: str | None) -> Any:
        data = self.data
        name, _, key = path.partition("/")
        if name == "self":
            return data["self"] | {"receives": "http://127.0.0.1:4318", "requests": len(data["requests"]), "traces": 1}
        if name == "requests":
            return self._request(key) if key else self._page(data["requests"], query)
        if name == "traces":
            if body is not None:
                return {"traces": [data["traces"][0]["id"]], "spans": 1}
            if key:
                return next((trace for trace in data["traces"] if trace["id"] == key), None)
            rows = [{k: v for k, v in trace.items() if k != "spans"} for trace in data["traces"]]
            return self._page(sorted(rows, key=lambda t: -t["start"]), query) | {"histogram": histogram(data["traces"])}
        if name == "sessions":
            found = [self._session(each) for each in data["sessions"]]
            if key:
                return next((s | {"traces": s["rows"]} for s in found if s["id"] == key), None)
            return self._page(sorted(found, key=lambda s: -s["last"]), query)
        return CONSOLE if name == "health" else data.get(name)

    def _page(self, items: list[Answer], query: Any) -> Answer:
        limit, first = int(query.get("limit", 100)), int(query.get("before", 0))
        words = query.get("q", "").split()
        if "-is:probe" in words:
            words.remove("-is:probe")
            items = [item for item in items if not item.get("probe")]
        fitting = [item for item in items if all(word in json.dumps(item) for word in words)]
        after = first + limit
        if self.cuts:
            self.cuts -= 1
            return {"items": [], "next": str(first), "total": None, "error": None, "searched_to": 1.796e12}
        return {
            "items": fitting[first:after],
            "next": str(after) if after < len(fitting) else None,
            "total": len(fitting),
            "error": None,
            "searched_to": None,
        }

    def _request(self, rid: str) -> Answer | None:
        rows = self.data["requests"]
        at = next((i for i, row in enumerate(rows) if row["id"] == rid), None)
        if at is None:
            return None
        row = rows[at]
        hops = [r for r in reversed(rows) if r["trace"] and r["trace"] == row["trace"]][:4]
        return (
            row
            | self.data["details"].get(row.get("of", rid), {})
            | {
                "sentence": f"{row['from']} called {row['to']}: same trace, same span.",
                "hops": hops if row in hops else [row],
                "older": rows[at + 1]["id"] if at + 1 < len(rows) else None,
                "newer": rows[at - 1]["id"] if at else None,
            }
        )

    def _session(self, session: Answer) -> Answer:
        ids = session["traces"]
        rows = [{k: v for k, v in t.items() if k != "spans"} for t in self.data["traces"] if t["id"] in ids]
        marks = [{"trace": t["id"], "start": t["start"], "ms": t["ms"], "errors": t["errors"]} for t in rows]
        return session | {"traces": len(rows), "marks": marks, "rows": rows}


def histogram(traces: list[Answer]) -> list[Answer]:
    edges = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
    bins = [{"lo": lo, "hi": hi, "count": 0, "errors": 0} for lo, hi in itertools.pairwise(edges)]
    for trace in traces:
        found = next((b for b in bins if trace["ms"] < b["hi"]), bins[-1])
        found["count"] += 1
        found["errors"] += bool(trace["errors"])
    return bins
