"""When to retry, by the OTLP specification (OTLP/HTTP Response, Failures and Retryable Response Codes). PURE."""

from __future__ import annotations

import math
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

RETRYABLE: Final = frozenset((429, 502, 503, 504))

_FIRST_S: Final = 1.0
_LONGEST_S: Final = 30.0
_LONGEST_ASKED_S: Final = 300.0  # a collector may ask for more by Retry-After, but gets no more


def backoff_s(failures: int, random: Callable[[], float]) -> float:
    """How long to wait after this many failures in a row (at least 1): 1 s, doubled up to 30 s, half of it random.

    `random`: gives a number from 0 to 1.
    Many sidecars may lose a collector at the same moment, so they return at different times.
    """
    full = min(_LONGEST_S, _FIRST_S * 2.0 ** min(failures - 1, 10))
    return full / 2 + full / 2 * random()


def retry_after_s(value: str | None, now: float) -> float | None:
    """The wait from Retry-After (RFC 9110, 10.2.3: seconds or a date), at most five minutes; None if it is neither.

    `now`: Unix time.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(_LONGEST_ASKED_S, float(value[:10]))
    try:
        at = parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(_LONGEST_ASKED_S, max(0.0, at - now)) if math.isfinite(at) else None
