"""Notices that a settings file has changed. Knows files from outside. Must not know what they say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

Signature = tuple[int, int, int, int]  # device, inode, size, time of the last change in ns


def signature(path: Path) -> Signature | None:
    """The file's present state, following symbolic links; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class FileWatch:
    """Remembers the files' states at the last reading.

    It follows symbolic links, so it sees the swap of a mounted ConfigMap.
    A change counts once two looks in a row agree, so a half-written file is not read.
    """

    def __init__(self, read: Mapping[Path, Signature | None]) -> None:
        """`read`: the files, and the state of each before its reading."""
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
