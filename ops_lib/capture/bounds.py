"""How much is recorded, and a text within these bounds: cut, scrubbed, and encodable.

Pure. Everything that is recorded as text passes `bounded`: strings within values, attributes, names, messages, stacks.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import Final

from ops_lib.capture.scrubbing import scrubbed

CUT: Final = "…"
_WORD: Final = string.ascii_letters + string.digits + "_-.+~="
_SHORT: Final = 128  # longest text that is remembered as harmless
_REMEMBERED: Final = 1024  # number of remembered texts; all are forgotten when there are more


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """How much is recorded.

    Takes: numbers of 1 or more.

    - `text`: characters of one string within a value.
    - `items`: entries of one container.
    - `depth`: containers within containers.
    - `total`: characters of all that is recorded of one call's arguments, its result, one attribute or one message.
    - `stack`: characters of a stack trace.

    Gives: an immutable value for `configure(capture_limits=...)`.
    Raises: ValueError when a limit is below 1.
    Specification: none; OpenTelemetry's own attribute limits apply after these.
    """

    text: int = 256
    items: int = 20
    depth: int = 4
    total: int = 2048
    stack: int = 8192

    def __post_init__(self) -> None:
        for name in ("text", "items", "depth", "total", "stack"):
            if getattr(self, name) < 1:
                raise ValueError(f"CaptureLimits.{name} must be at least 1, not {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """Whether and how values are recorded. `scrub`: further secret names, in lower case without separators."""

    arguments: bool = True
    result: bool = True
    scrub: frozenset[str] = frozenset()
    limits: CaptureLimits = CaptureLimits()
    # For speed, short texts and attribute names without secrets are remembered: most spans repeat the same few.
    harmless: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    harmless_names: set[str] = field(default_factory=set, init=False, repr=False, compare=False)


def remember(text: str, known: set[str]) -> None:
    """Remember that `text` needs no change, if it is short."""
    if len(text) <= _SHORT:
        if len(known) >= _REMEMBERED:
            known.clear()
        known.add(text)


def encodable(text: str) -> str:
    """`text` without what UTF-8 cannot encode: for a lone surrogate,
    the OTLP exporter drops the attribute or the whole batch.
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def bounded(text: str, limit: int, settings: CaptureSettings, *, keep_end: bool = False, mark: str = CUT) -> str:
    """`text` without the secrets found in it: at most `limit` characters, and a mark if something was cut.

    `keep_end`: cut the middle, at ends of lines.
    Of a long text, only twice the limit is scanned.
    Scrubbing may move text from beyond the limit into it.
    Its last word may then be half a secret, and is dropped.
    """
    if len(text) <= _SHORT and text in settings.harmless and len(text) <= limit:
        return text
    seen = text
    if len(text) > 2 * limit:
        keep_end = keep_end and "\n" in text[-limit:]
        seen = _ends_of(text, limit, mark) if keep_end else text[: 2 * limit]
    kept = encodable(scrubbed(seen, settings.scrub))
    if kept == text and len(kept) <= limit:
        remember(text, settings.harmless)
        return text
    if keep_end and len(kept) > limit:
        head = limit // 3
        return kept[:head] + mark + kept[len(kept) - limit + head :]
    is_cut = len(seen) < len(text) and not keep_end
    if is_cut and len(kept) != len(seen):
        kept = kept.rstrip(_WORD)
    return kept[:limit] + mark if is_cut or len(kept) > limit else kept


def _ends_of(text: str, length: int, mark: str) -> str:
    """The first and the last lines of `text`, `length` characters of each at most."""
    return text[: text.rfind("\n", 0, length) + 1] + mark + "\n" + text[text.find("\n", len(text) - length) + 1 :]
