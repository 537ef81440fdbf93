"""The end of a tracer provider, waited for no longer than a time.

The SDK's own shutdown waits for its exporter as long as that takes, which is up to 10 s if a collector accepts
connections and never answers.
Knows threads and nothing of spans.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from weakref import WeakMethod

_log = logging.getLogger("ops_lib")


class Stop:
    """Calls `shut_down` once, when called itself, and waits `timeout_s` seconds for it at most; never raises.

    It runs on a thread that is there beforehand and waits, because none can be started when the interpreter is about to
    end (Python 3.12 and later).
    What is not done in time goes on, unless the process ends; a warning says so.
    """

    def __init__(self, shut_down: Callable[[], None], timeout_s: float) -> None:
        self._shut_down = shut_down
        self._timeout_s = min(timeout_s, threading.TIMEOUT_MAX)
        self._start()
        if hasattr(os, "register_at_fork"):
            start = WeakMethod(self._start)  # what is registered there is never taken away again
            os.register_at_fork(after_in_child=lambda: (found := start()) and found())

    def _start(self) -> None:
        """Also in a forked child, which has no thread but the one that forked."""
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
