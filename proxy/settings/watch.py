"""Notices that a settings file has changed. Knows how files look from outside; what they say is not its business."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

Signature = tuple[int, int, int, int]  # device, inode, size, time of the last change in ns


def signature(path: Path) -> Signature | None:
    """How the file looks now, symbolic links followed; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class FileWatch:
    """Remembers how the files looked when they were last read.

    A look follows symbolic links, so that the swap of a mounted ConfigMap is seen. A change counts once two looks in a
    row agree: a file that is half written, or empty for a moment, is left alone until its writer is done.
    """

    def __init__(self, read: Mapping[Path, Signature | None]) -> None:
        """`read`: the files, and how each looked before it was read."""
        self._read = dict(read)
        self._last = dict(read)

    def changed(self) -> bool:
        """True once for every settled change. Blocks for a few stat calls."""
        now = {path: signature(path) for path in self._read}
        settled = now == self._last
        self._last = now
        if not settled or now == self._read:
            return False
        self._read = now
        return True
