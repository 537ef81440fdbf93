"""Shuts down a tracer provider within a time limit.

The SDK's own shutdown waits for its exporter without limit: up
to 10 s if a collector accepts connections and never answers.
May know threads.
Must not know spans.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from weakref import WeakMethod

_log = logging.getLogger("ops_lib")


class Stop:
    """When called, calls `shut_down` once, and waits at most `timeout_s` seconds for it; never raises.

    A waiting thread runs it, because no thread can start when the interpreter is ending (Python 3.12 and later).
    If it is not done in time, it goes on while the process lives; a warning says so.
    """

    def __init__(self, shut_down: Callable[[], None], timeout_s: float) -> None:
        self._shut_down = shut_down
        self._timeout_s = min(timeout_s, threading.TIMEOUT_MAX)
        self._start()
        if hasattr(os, "register_at_fork"):
            start = WeakMethod(self._start)  # what is registered there is never taken away again
            os.register_at_fork(after_in_child=lambda: (found := start()) and found())

    def _start(self) -> None:
        """Also called in a forked child, which only has the thread that forked."""
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._wanted,), name="ops-stop", daemon=True)
        self._thread.start()

    def _run(self, wanted: threading.Event) -> None:
        wanted.wait()
        try:
            self._shut_down()
        except Exception:  # the outermost edge: an exporter may be anyone's
            _log.exception("a span processor failed at shutdown")

    def __call__(self) -> None:
        self._wanted.set()
        self._thread.join(self._timeout_s)
        if self._thread.is_alive():
            _log.warning(
                "the span exporter is still busy after %g s; what it has not sent may be lost", self._timeout_s
            )
