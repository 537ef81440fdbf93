"""Two services that carry trace and session with no code of their own: a middleware in, an instrumented client out.

    uvicorn examples.instrumented:shop     # calls the library at LIBRARY_URL
    uvicorn examples.instrumented:library

Every request is a server span, every call a client span; hosts outside `allow_hosts` get neither trace nor session.
"""

from __future__ import annotations

import os

import httpx
from fastapi import FastAPI

import ops_lib as ops
from ops_lib.integrations.asgi import TraceMiddleware

LIBRARY_URL = "LIBRARY_URL"

ops.instrument("httpx", allow_hosts=["127.0.0.1", "*.internal"])

shop = FastAPI()
shop.add_middleware(TraceMiddleware)

library = FastAPI()
library.add_middleware(TraceMiddleware)


@shop.get("/orders/{title}")
async def order(title: str) -> dict[str, str | None]:
    async with httpx.AsyncClient(base_url=os.environ[LIBRARY_URL]) as client:
        book = (await client.get(f"/books/{title}")).json()
    return {"ordered": book["title"], "session": book["session"], "trace_id": ops.current_span().trace_id}


@library.get("/books/{title}")
async def find(title: str) -> dict[str, str | None]:
    session = ops.current_session()
    return {"title": title, "session": session.id if session else None}
