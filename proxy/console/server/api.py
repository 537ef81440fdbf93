"""/api/v1: the query layer over HTTP. Questions run in threads; at most a few wait.

A handler reads the URL, asks the query layer, and answers JSON. It knows nothing of what it answers.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from aiohttp import web

from proxy.console.intake.decode import OtlpError
from proxy.console.intake.records import Batch
from proxy.console.query.doctor import doctor as doctor_of
from proxy.console.query.download import download
from proxy.console.query.explain import explain as explain_of
from proxy.console.query.health import health as health_of
from proxy.console.query.health import myself
from proxy.console.query.migration import migration as migration_of
from proxy.console.query.pages import BadCursorError, read_limit
from proxy.console.query.requests import request as request_of
from proxy.console.query.requests import requests as requests_of
from proxy.console.query.sessions import session as session_of
from proxy.console.query.sessions import sessions as sessions_of
from proxy.console.query.settings import settings as settings_of
from proxy.console.query.trace import trace as trace_of
from proxy.console.query.traces import traces as traces_of
from proxy.console.server.answers import json_answer, problem
from proxy.console.server.guard import HEADERS, Guard
from proxy.console.server.intake import JSON, MOST_BODY_BYTES, PROTOBUF, RefusalError, count, read_body
from proxy.console.server.openapi import document
from proxy.console.server.stream import Stream
from proxy.console.store.reader import QueryTimeoutError, Reader

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Question = Callable[[], Any]

_THREADS: Final = 2
_MOST_WAITING: Final = 32
_WRITTEN_S: Final = 10.0
_MOST_LOGIN_BYTES: Final = 4096


class Api:
    """See the module."""

    def __init__(
        self,
        reader: Reader,
        guard: Guard,
        stream: Stream,
        state: Callable[[], dict[str, Any]],
        add: Callable[..., bool],
    ) -> None:
        """`state`: what the console counts by itself. `add`: the writer's."""
        self._add = add
        self._reader = reader
        self._guard = guard
        self._stream = stream
        self._state = state
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="console-query")
        self._waiting = 0

    def add_to(self, app: web.Application) -> None:
        """The routes."""
        for path, handler in self._gets().items():
            app.router.add_get(f"/api/v1{path}", handler)
        app.router.add_get("/healthz", _healthz)
        app.router.add_post("/api/v1/login", self._login)
        app.router.add_post("/api/v1/traces", self._upload)
        app.router.add_post("/api/v1/explain", self._explain)

    def _gets(self) -> dict[str, Handler]:
        return {
            "/traces": self._list(traces_of),
            "/traces/{id}": self._trace,
            "/requests": self._list(requests_of),
            "/requests/{id}": self._one(request_of, "This request is not here: it has left the store, or never came."),
            "/sessions": self._list(sessions_of),
            "/sessions/{id}": self._one(session_of, "This session is not here: it has no trace in the store."),
            "/health": self._told(health_of),
            "/self": self._told(myself),
            "/doctor": self._told(lambda reader, _, now_ns: doctor_of(reader, now_ns)),
            "/migration": self._told(lambda reader, _, now_ns: migration_of(reader, now_ns)),
            "/settings": self._told(lambda reader, _, now_ns: settings_of(reader, now_ns)),
            "/stream": self._events,
            "/openapi.json": self._described,
        }

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _ask(self, question: Question) -> Any:
        """Its answer. Raises a web exception when too many wait, or it takes too long."""
        if self._waiting >= _MOST_WAITING:
            count(self._guard.refused, "questions")
            raise web.HTTPServiceUnavailable(reason="Too many questions at once. Ask again.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, question)
        except QueryTimeoutError:
            raise web.HTTPServiceUnavailable(reason="The question took too long. Narrow the filter.") from None
        finally:
            self._waiting -= 1

    def _list(self, question: Callable[..., Any]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            asked = request.query
            try:
                limit = read_limit(asked.get("limit"))
                said = await self._ask(
                    lambda: question(self._reader, q=asked.get("q", ""), before=asked.get("before"), limit=limit)
                )
            except BadCursorError as error:
                return problem(400, f"before: {error}.")
            except ValueError as error:
                return problem(400, f"{error}.")
            return json_answer(said)

        return handle

    async def _trace(self, request: web.Request) -> web.StreamResponse:
        wanted = request.match_info["id"]
        is_download = request.query.get("format") == "otlp"
        question = download if is_download else trace_of
        said = await self._ask(lambda: question(self._reader, wanted))
        if said is None:
            return problem(404, "This trace is not here: it has left the store, was not sampled, or never came.")
        name = {"Content-Disposition": f'attachment; filename="trace-{wanted[:32]}.json"'} if is_download else None
        return json_answer(said, headers=name)

    def _one(self, question: Callable[[Reader, str], Any], missing: str) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            wanted = request.match_info["id"]
            said = await self._ask(lambda: question(self._reader, wanted))
            return json_answer(said) if said is not None else problem(404, missing)

        return handle

    def _told(self, question: Callable[[Reader, dict[str, Any], int], Any]) -> Handler:
        async def handle(_: web.Request) -> web.StreamResponse:
            state = self._state()
            return json_answer(await self._ask(lambda: question(self._reader, state, time.time_ns())))

        return handle

    async def _described(self, _: web.Request) -> web.StreamResponse:
        return json_answer(document())

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await self._stream.serve(request, HEADERS)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        """Traces that somebody saved: they take the place of those with their ids."""
        kind = request.content_type
        if kind not in (JSON, PROTOBUF):
            return problem(415, f"Send OTLP as {JSON} or {PROTOBUF}.")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return problem(413, f"A file of traces may have {MOST_BODY_BYTES:,} bytes.")
        done = threading.Event()

        def write() -> Batch:
            batch = read_body("traces", body, is_packed=False, is_json=kind == JSON)
            if batch.spans:
                if not self._add(batch, replaces=True, done=done):
                    raise RefusalError(503, "store-full", "The console writes more slowly than this comes. Try again.")
                done.wait(_WRITTEN_S)
            return batch

        try:
            batch = await self._ask(write)
        except (OtlpError, RefusalError) as error:
            return problem(getattr(error, "status", 400), f"{error}.".replace("..", "."))
        if not batch.spans:
            reason = batch.reason or "no span in it"
            return problem(400, f"This is not a trace: {reason}.")
        found = dict.fromkeys(span.trace.hex() for span in batch.spans)
        return json_answer({"traces": list(found), "spans": len(batch.spans), "rejected": batch.rejected})

    async def _explain(self, request: web.Request) -> web.StreamResponse:
        """What headers say; as JSON {"text": …}, or as text."""
        if request.content_type not in (JSON, "text/plain"):
            return problem(415, 'Send {"text": …} as application/json, or the headers as text/plain.')
        body = (await request.read()).decode("utf-8", "replace")
        if request.content_type == JSON:
            try:
                body = json.loads(body)["text"]
            except (ValueError, KeyError, TypeError, RecursionError):
                return problem(400, 'Send {"text": …} as application/json.')
            if not isinstance(body, str):
                return problem(400, "`text` has to be a string.")
        return json_answer(await self._ask(lambda: explain_of(self._reader, body, time.time_ns())))

    async def _login(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/json" or (request.content_length or 0) > _MOST_LOGIN_BYTES:
            return problem(415, 'Send {"token": …} as application/json.')
        try:
            said = await request.json()
            token = said["token"]
        except (ValueError, KeyError, TypeError):
            return problem(400, 'Send {"token": …} as application/json.')
        if self._guard.has_token and not (isinstance(token, str) and self._guard.is_token(token)):
            return problem(401, "This is not the token of the console. It was printed at the start.")
        response = web.Response(status=204)
        self._guard.remember(request, response)
        return response


async def _healthz(_: web.Request) -> web.Response:
    """While the process runs; for `ops-sidecar health` in its container."""
    return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})
