"""An httpx client that takes the trace and session of its caller along.

    python examples/httpx_client.py http://127.0.0.1:8000/books/fantasy

The wrapper shows what happens; `ops.instrument("httpx")` does the same for every httpx client with no wrapper at all.
"""

from __future__ import annotations

import sys
from typing import Any

import httpx

import ops_lib as ops


class TracedClient:
    """`httpx.Client` with a span around each request and the context in its headers."""

    def __init__(self, **options: Any) -> None:
        self._client = httpx.Client(**options)

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        with ops.span(f"{method} {url}") as span:
            headers = dict(options.pop("headers", None) or {})
            ops.inject_context(headers)  # inside the span: the server's spans become its children
            response = self._client.request(method, url, headers=headers, **options)
            span.set(**{"http.response.status_code": response.status_code})
            return response

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def __enter__(self) -> TracedClient:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()


def main(url: str) -> None:
    with ops.session(id="demo-session"), TracedClient() as client, ops.span("visit") as span:
        print(client.get(url).text)
        print(f"trace {span.trace_id}")


if __name__ == "__main__":
    main(sys.argv[1])
