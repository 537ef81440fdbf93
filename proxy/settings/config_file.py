"""Reads the settings file. Knows files. Must not know what the text means.

The file may be a pipe (`--config <(...)`, /dev/stdin). At the start, its writer has unlimited time; a reload limits it.
"""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path
from time import monotonic

from proxy.errors import SettingsError, SettingsProblem
from proxy.settings.watch import Signature, signature

LIMIT_BYTES = 2**20
_READS = 3  # tries to read a file that changes meanwhile


def read_file(file: Path, named_by: str, patience_s: float | None) -> tuple[str, Signature | None]:
    """The file's text, and its state on disk before reading and (except for a pipe) after.

    `patience_s`: how long the writer of a pipe may take; None: no limit. Raises SettingsError.
    """

    def failed(message: str) -> SettingsError:
        return SettingsError((SettingsProblem("config", str(file), named_by, message),))

    for _ in range(_READS):
        looked = signature(file)
        try:
            raw, is_file = _contents(file, patience_s)
        except TimeoutError:
            raise failed(f"not a file, and its writer has not finished within {patience_s:g} s") from None
        except OSError as error:
            raise failed(f"cannot read the file: {error.strerror}") from None
        if not is_file or looked == signature(file):
            break
    else:
        raise failed("the file changed while it was read")
    if len(raw) > LIMIT_BYTES:
        raise failed(f"the file is larger than {LIMIT_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig"), looked
    except UnicodeDecodeError as error:
        raise failed(f"the file is not UTF-8 text (byte {error.start})") from None


def _contents(file: Path, patience_s: float | None) -> tuple[bytes, bool]:
    """Its contents, up to one byte beyond the limit (/dev/zero has no end), and whether it is a file.

    Raises OSError; TimeoutError if a pipe's writer takes too long.
    """
    fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a pipe would wait for its writer
    with open(fd, "rb", buffering=0) as opened:  # noqa: PTH123 - a descriptor, not a path
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        until = None if is_file or patience_s is None else monotonic() + patience_s
        raw = b""
        while len(raw) <= LIMIT_BYTES:
            if not is_file:
                _wait(fd, until)
            piece = opened.read(LIMIT_BYTES + 1 - len(raw))
            if not piece:
                break
            raw += piece
    return raw, is_file


def _wait(fd: int, until: float | None) -> None:
    """Wait until there is something to read, or the last writer has left. Raises TimeoutError."""
    poll = select.poll()
    poll.register(fd, select.POLLIN | select.POLLHUP)
    left_ms = None if until is None else max(0.0, until - monotonic()) * 1000
    if not poll.poll(left_ms):
        raise TimeoutError
