"""examples/fastapi_service.py behind uvicorn, called by examples/httpx_client.py: two processes' worth of code, one
real socket."""

from __future__ import annotations

from typing import Any

import pytest

import ops_lib as ops
from examples import fastapi_service
from examples.httpx_client import TracedClient
from tests.ops_lib.integrations.servers import serve_asgi


@pytest.mark.parametrize("app", [fastapi_service.app, fastapi_service.endpoint_app], ids=["middleware", "endpoint"])
def test_service_continues_the_callers_trace_and_session(app: Any) -> None:
    with serve_asgi(app) as url, TracedClient(base_url=url) as client:
        with ops.session(id="reader-7"), ops.span("visit") as span:
            answer = client.get("/books/fantasy").json()
        assert answer == {"book": "a fantasy book", "session": "reader-7", "trace_id": span.trace_id}
        alone = client.get(
            "/books/poetry"
        ).json()  # no span here: a trace of its own, and nothing left of the one before
        assert alone["session"] is None
        assert alone["trace_id"] != span.trace_id
