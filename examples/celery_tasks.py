"""Celery tasks that belong to the trace and session of whoever has sent them.

    python examples/celery_tasks.py

Starts a worker in a process of its own, and sends it two tasks. The broker is a folder here, so that nothing need be
installed; Redis and RabbitMQ do the same. In your project: the class `TracedTask`, and `task_cls=TracedTask`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from celery import Celery, Task
from celery.signals import worker_process_init
from opentelemetry.trace import SpanKind

import ops_lib as ops

FOLDER = os.environ.get("BOOKS_QUEUE", "books-queue")


class TracedTask(Task):  # type: ignore[misc]  # Celery has no types
    """Sends the context as headers of the message, and runs in the context that came with it."""

    def apply_async(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        headers = dict(options.pop("headers", None) or {})
        with ops.span(f"send {self.name}", kind=SpanKind.PRODUCER):
            ops.inject_context(headers)
            return super().apply_async(args, kwargs, *more, headers=headers, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # A retry, and a task that is called as a function, have the context in force anyway.
        came = ops.propagated_context(extract_from=self.request.headers or {})
        with came, ops.span(f"run {self.name}", kind=SpanKind.CONSUMER):
            return super().__call__(*args, **kwargs)


app = Celery("books", broker="filesystem://", backend=f"file://{FOLDER}", task_cls=TracedTask)
app.conf.broker_transport_options = {
    "data_folder_in": FOLDER,
    "data_folder_out": FOLDER,
    "control_folder": FOLDER,
    "polling_interval": 0.1,
}


@worker_process_init.connect
def configure(**unused: Any) -> None:
    """In each of the worker's processes: the threads of an exporter do not live on in a fork."""
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        ops.configure("books-worker")


@app.task(name="print_book")
def print_book(title: str) -> dict[str, str | None]:
    session = ops.current_session()
    return {"title": title, "session": session.id if session else None, "trace_id": ops.current_span().trace_id}


def worker() -> subprocess.Popen[bytes]:
    """`celery -A examples.celery_tasks worker`, as one starts it from a shell."""
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "celery_tasks", "worker", "--concurrency", "1"]
    command += ["--without-gossip", "--without-mingle", "--loglevel", "error"]
    return subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.DEVNULL)


def main() -> None:
    running = worker()
    try:
        for title in ("dune", "emma"):
            with ops.session(id=f"order-{title}"), ops.span("order") as span:
                answer = print_book.delay(title).get(timeout=60)
            print(answer["title"], answer["session"], "same trace:", answer["trace_id"] == span.trace_id)
    finally:
        running.send_signal(signal.SIGQUIT)  # at once; SIGTERM lets it finish what it has begun
        running.wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BOOKS_QUEUE"] = folder
        import celery_tasks  # now that its folder is known; the worker imports it by this name too

        celery_tasks.main()
