"""A Flask service that continues the trace and session of its caller.

    python examples/flask_service.py          # one request to itself
    flask --app examples.flask_service run

Two ways, either is enough: `before_request` and `teardown_request` for every endpoint (`app`), or a `with` in the one
endpoint that needs it (`endpoint_app`). With spans for every request and no code at all, use
`ops.instrument("flask")`.
"""

from __future__ import annotations

from flask import Flask, g, request

import ops_lib as ops

app = Flask(__name__)
endpoint_app = Flask(__name__)


@ops.trace
def recommend(genre: str) -> str:
    return f"a {genre} book"


def answer(genre: str) -> dict[str, str | None]:
    """What the endpoints say: the book, and whose request it was."""
    with ops.span("recommend_book", genre=genre) as span:
        session = ops.current_session()
        return {"book": recommend(genre), "session": session.id if session else None, "trace_id": span.trace_id}


# 1. Every endpoint. Flask calls teardown_request after an exception too, so that the context is always detached.


@app.before_request
def continue_trace() -> None:
    g.ops_context = ops.propagated_context(extract_from=dict(request.headers))
    g.ops_context.__enter__()


@app.teardown_request
def leave_trace(error: BaseException | None) -> None:
    context = g.pop("ops_context", None)
    if context is not None:
        context.__exit__(None, None, None)


@app.get("/books/<genre>")
def read_book(genre: str) -> dict[str, str | None]:
    return answer(genre)


@app.get("/broken")
def broken() -> str:
    raise RuntimeError("out of books")


# 2. One endpoint for itself.


@endpoint_app.get("/books/<genre>")
def read_book_here(genre: str) -> dict[str, str | None]:
    with ops.propagated_context(extract_from=dict(request.headers)):
        return answer(genre)


def main() -> None:
    headers: dict[str, str] = {}
    with ops.session(id="reader-7"), ops.span("visit") as span:
        ops.inject_context(headers)
    with app.test_client() as client:  # out of the block: what the service knows, it knows by the headers
        found = client.get("/books/fantasy", headers=headers).get_json()
    print(found["book"], found["session"], "same trace:", found["trace_id"] == span.trace_id)


if __name__ == "__main__":
    main()
