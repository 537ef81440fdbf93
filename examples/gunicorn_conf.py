"""gunicorn, whose worker processes each export their own spans, and lose none when they end.

    gunicorn -c examples/gunicorn_conf.py examples.flask_service:app
    python examples/gunicorn_conf.py                                   # the same

A fork does not take threads along, and exporters run on threads. So `ops.configure` is called in each worker, and not
where the application is imported, which `--preload` does before the fork.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import ops_lib as ops

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = 2


def post_fork(server: Any, worker: Any) -> None:
    """In each worker, before it loads the application."""
    ops.configure("books", exporter=os.environ.get("OTEL_TRACES_EXPORTER", "otlp"))


def worker_exit(server: Any, worker: Any) -> None:
    """In each worker, at its end: what is left is exported."""
    ops.shutdown()


if __name__ == "__main__":
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", "-c", __file__, *(sys.argv[1:] or ["examples.flask_service:app"])]
    run()
