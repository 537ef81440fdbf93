"""Writes lines to a file descriptor on a separate thread, so that a slow reader never stops the event loop.

May know threads and file descriptors. Must not know what the lines say.
"""

from __future__ import annotations

import os
import threading
from collections import deque

_BATCH_LINES = 512
_LINE_CHARACTERS = 4096  # a longer line counts as several, since clients choose parts of it


class LineWriter:
    """A bounded queue of lines and the thread that writes them. A full queue drops the line and counts it."""

    def __init__(self, fd: int, *, limit_lines: int, name: str) -> None:
        """`fd` stays open: its owner closes it. The thread starts with the first line."""
        self._fd = fd
        self._limit = limit_lines
        self._name = name
        self._lines: deque[str] = deque()
        self._size = 0  # of `_lines`, in lines of `_LINE_CHARACTERS`
        self._wake = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._closing = False
        self.dropped = 0
        self.written = 0

    def write(self, line: str) -> None:
        """Queue one line (without its newline). Never blocks, never raises. Callable from any thread."""
        with self._wake:
            size = 1 + len(line) // _LINE_CHARACTERS
            if self._closing or self._size + size > self._limit:
                self.dropped += 1
                return
            self._lines.append(line)
            self._size += size
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            if len(self._lines) == 1:
                self._wake.notify()

    def close(self, timeout_s: float = 2.0) -> None:
        """Write the queued lines, for at most `timeout_s` seconds. Later lines are dropped and counted."""
        with self._wake:
            self._closing = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._lines and not self._closing:
                    self._wake.wait()
                batch = [self._lines.popleft() for _ in range(min(len(self._lines), _BATCH_LINES))]
                self._size -= sum(1 + len(line) // _LINE_CHARACTERS for line in batch)
                if not batch:
                    return
            if self._send(batch):
                self.written += len(batch)
            else:
                self.dropped += len(batch)

    def _send(self, batch: list[str]) -> bool:
        data = memoryview(("\n".join(batch) + "\n").encode("utf-8", "backslashreplace"))
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:  # nobody reads any more: the sidecar continues without its log
            return False
        return True
