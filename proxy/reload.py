"""Notices that a settings file has changed. Knows file signatures; what is read and done then is not its business."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Signature = tuple[tuple[int, int, int, int] | None, ...]


class FileWatch:
    """Remembers how the files looked when they were last read.

    A look follows symbolic links, so that the swap of a mounted ConfigMap is seen. A change counts once two looks in
    a row
    agree: a file that is half written, or empty for a moment, is left alone until its writer is done.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)
        self._read = self._last = self._look()

    def changed(self) -> bool:
        """True once for every settled change. Blocks for a few stat calls."""
        now = self._look()
        settled = now == self._last
        self._last = now
        if not settled or now == self._read:
            return False
        self._read = now
        return True

    def _look(self) -> Signature:
        return tuple(_signature(path) for path in self._paths)


def _signature(path: Path) -> tuple[int, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
