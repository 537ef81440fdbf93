"""RQ jobs that belong to the trace and session of whoever has queued them.

    python examples/rq_jobs.py                          # with a Redis of its own (needs redis-server)
    python examples/rq_jobs.py redis://127.0.0.1:6379   # with yours

In your project: the class `TracedJob`, as `job_class` of queues and workers (`rq worker --job-class …`), and `enqueue`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from opentelemetry.trace import SpanKind
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry
from rq import Queue, Worker
from rq.job import Job

import ops_lib as ops


class TracedJob(Job):
    """Runs in the context that came with it, in a span of its own."""

    def perform(self) -> Any:
        came = ops.propagated_context(extract_from=self.meta.get("headers", {}))
        with came, ops.span(f"run {self.func_name}", kind=SpanKind.CONSUMER):
            return super().perform()


def enqueue(queue: Queue, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Job:
    """As `queue.enqueue`; the context travels in the job's `meta`."""
    headers: dict[str, str] = {}
    with ops.span(f"queue {fn.__name__}", kind=SpanKind.PRODUCER):
        ops.inject_context(headers)
        return queue.enqueue(fn, *args, meta={"headers": headers}, **kwargs)


def print_book(title: str) -> dict[str, str | None]:
    session = ops.current_session()
    return {"title": title, "session": session.id if session else None, "trace_id": ops.current_span().trace_id}


@contextmanager
def own_redis() -> Iterator[str]:
    """A Redis on a socket in a folder of its own, for as long as the block lasts; gives its URL."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/redis.sock"
        command = ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        server = subprocess.Popen([*command, "--loglevel", "warning"], stdout=subprocess.DEVNULL)
        try:
            retry = Retry(ConstantBackoff(0.05), 200, supported_errors=(ConnectionError,))  # until it listens
            with Redis(unix_socket_path=path, retry=retry) as connection:
                connection.ping()
            yield f"unix://{path}"
        finally:
            server.terminate()
            server.wait()


def main(url: str) -> None:
    with Redis.from_url(url) as connection:
        queue = Queue("books", connection=connection, job_class=TracedJob)
        jobs = []
        for title in ("dune", "emma"):
            with ops.session(id=f"order-{title}"), ops.span("order") as span:
                jobs.append((enqueue(queue, print_book, title), span.trace_id))
        # A fork for each job, as `rq worker --burst` does it.
        Worker([queue], connection=connection, job_class=TracedJob).work(burst=True, logging_level="ERROR")
        for job, trace_id in jobs:
            answer = job.return_value(refresh=True)
            print(answer["title"], answer["session"], "same trace:", answer["trace_id"] == trace_id)


if __name__ == "__main__":
    import rq_jobs  # by its name: RQ finds functions by that, and not in `__main__`

    with nullcontext(sys.argv[1]) if sys.argv[1:] else own_redis() as where:
        rq_jobs.main(where)
