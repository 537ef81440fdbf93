"""Two services that carry trace and session with no code of their own: instrumented server in, instrumented client out.

    python examples/instrumented.py        # both, and one request through them
    uvicorn examples.instrumented:shop     # calls the library at LIBRARY_URL
    uvicorn examples.instrumented:library

Every request is a server span, every call a client span; hosts outside `allow_hosts` get neither trace nor session.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import FastAPI

import ops_lib as ops

LIBRARY_URL = "LIBRARY_URL"

ops.instrument("fastapi", "httpx", allow_hosts=["127.0.0.1", "*.internal"])

shop = FastAPI()
library = FastAPI()


@shop.get("/orders/{title}")
async def order(title: str) -> dict[str, str | None]:
    async with httpx.AsyncClient(base_url=os.environ[LIBRARY_URL]) as client:
        book = (await client.get(f"/books/{title}")).json()
    return {"ordered": book["title"], "session": book["session"], "trace_id": ops.current_span().trace_id}


@library.get("/books/{title}")
async def find(title: str) -> dict[str, str | None]:
    session = ops.current_session()
    return {"title": title, "session": session.id if session else None}


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """`app` on uvicorn; gives its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def main() -> None:
    with served(library) as library_url, served(shop) as shop_url:
        os.environ[LIBRARY_URL] = library_url
        with ops.session(id="reader-7"), ops.span("buy") as span:
            answer = httpx.get(f"{shop_url}/orders/dune").json()
    print(answer["ordered"], answer["session"], "same trace:", answer["trace_id"] == span.trace_id)


if __name__ == "__main__":
    main()
