"""A FastAPI service that continues the trace and session of its caller.

    python examples/fastapi_service.py      # one request to itself
    uvicorn examples.fastapi_service:app

Two ways, either is enough: once for every endpoint in a middleware (`app`), or in the one endpoint that needs it
(`endpoint_app`). With spans for every request and no code at all, use `ops.instrument("fastapi")`
(examples/instrumented.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
from fastapi import FastAPI, Request, Response

import ops_lib as ops

app = FastAPI()
endpoint_app = FastAPI()


@ops.trace
async def recommend(genre: str) -> str:
    return f"a {genre} book"


async def answer(genre: str) -> dict[str, str | None]:
    """What the endpoints say: the book, and whose request it was."""
    with ops.span("recommend_book", genre=genre) as span:
        session = ops.current_session()
        return {
            "book": await recommend(genre),
            "session": session.id if session else None,
            "trace_id": span.trace_id,
        }


# 1. A middleware: every endpoint, and every span in it, belongs to the caller's trace.


@app.middleware("http")
async def continue_trace(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    with ops.propagated_context(extract_from=dict(request.headers)):
        return await call_next(request)


@app.get("/books/{genre}")
async def read_book(genre: str) -> dict[str, str | None]:
    return await answer(genre)


# 2. One endpoint for itself.


@endpoint_app.get("/books/{genre}")
async def read_book_here(genre: str, request: Request) -> dict[str, str | None]:
    with ops.propagated_context(extract_from=request.headers):
        return await answer(genre)


async def call(headers: dict[str, str]) -> dict[str, str]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://books.internal") as client:
        answer: dict[str, str] = (await client.get("/books/fantasy", headers=headers)).json()
        return answer


def main() -> None:
    headers: dict[str, str] = {}
    with ops.session(id="reader-7"), ops.span("visit") as span:
        ops.inject_context(headers)
    found = asyncio.run(call(headers))  # out of the block: what the service knows, it knows by the headers
    print(found["book"], found["session"], "same trace:", found["trace_id"] == span.trace_id)


if __name__ == "__main__":
    main()
