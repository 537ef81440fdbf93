"""The two halves of context propagation, in one file: what a client sends, and what a server does with it.

    python examples/client_server.py

Nothing is configured and nothing is exported: ids are real and valid all the same. `ops.configure()` adds the export.
"""

from __future__ import annotations

import ops_lib as ops


def call_server() -> dict[str, str]:
    """The client: the headers of an outgoing request."""
    with ops.session(id="demo-session"), ops.span("client_request"):
        headers: dict[str, str] = {}
        ops.inject_context(headers)  # traceparent, X-Mirascope-Session-Id
        return headers


def handle_request(headers: dict[str, str]) -> str:
    """The server: the same trace and session, for as long as the request lasts."""
    with ops.propagated_context(extract_from=headers):
        return process_request()


@ops.trace
def process_request() -> str:
    session = ops.current_session()
    return f"session {session.id if session else None}"


def main() -> None:
    headers = call_server()
    for name, value in sorted(headers.items()):
        print(f"{name}: {value}")
    print(handle_request(headers))


if __name__ == "__main__":
    main()
