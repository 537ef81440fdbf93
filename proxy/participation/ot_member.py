"""OpenTelemetry's own member of tracestate, `ot=`: the sampling threshold and the randomness of a trace. PURE.

https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/ and tracestate-handling/.
Sub-keys are `key:value`, joined by `;`. `th` is the rejection threshold: 1 to 14 hex digits without trailing zeros.
`rv` is the randomness, if it is not the trace id's: 14 hex digits.
A trace is sampled if its randomness is at least the threshold.
"""

from __future__ import annotations

import re
from typing import Final

ALWAYS: Final = 0
"""The threshold of `always_on`."""
NEVER: Final = 1 << 56
"""One above the largest randomness."""

_DIGITS: Final = 14  # 56 bits
_PRECISION: Final = 4  # hex digits of a threshold that follow its leading `f`s, as OpenTelemetry's SDKs have it
_THRESHOLD: Final = re.compile(r"[0-9a-f]{1,14}").fullmatch
_RANDOMNESS: Final = re.compile(r"[0-9a-f]{14}").fullmatch
_MAX_VALUE: Final = 256  # characters of a member's value (W3C)


def threshold_of(ratio: float) -> int:
    """The threshold that samples the share `ratio` (0 to 1) of all traces."""
    if ratio <= 0:
        return NEVER
    if ratio >= 1:
        return ALWAYS
    exact = NEVER - round(ratio * NEVER)
    digits = f"{exact:014x}"
    kept = min(_DIGITS, len(digits) - len(digits.lstrip("f")) + _PRECISION)
    step = 16 ** (_DIGITS - kept)
    threshold: int = (exact + step // 2) // step * step
    return min(NEVER - 1, threshold)


def write_threshold(threshold: int) -> str:
    """`th`'s value: no trailing zeros, but one digit at least."""
    return f"{threshold:014x}".rstrip("0") or "0"


def randomness_of(trace_id: str, tracestate: str) -> int:
    """What the threshold is compared with: `rv` if the trace has one, else the last 56 bits of its id."""
    value = _sub_key(tracestate, "rv")
    return int(value if _RANDOMNESS(value) else trace_id[-_DIGITS:], 16)


def read_threshold(tracestate: str) -> int | None:
    """`th`; None if there is none, or one that is malformed."""
    value = _sub_key(tracestate, "th")
    return int(value.ljust(_DIGITS, "0"), 16) if _THRESHOLD(value) else None


def with_threshold(tracestate: str, threshold: int | None) -> str:
    """`tracestate` with this `th` (None: without one); other sub-keys stay.

    A changed member goes first (W3C Trace Context, 3.3.1.3). One that would become too long stays unchanged.
    """
    value = _value(tracestate)
    kept = [part for part in value.split(";") if part and part.partition(":")[0] != "th"]
    if threshold is not None:
        kept.insert(0, f"th:{write_threshold(threshold)}")
    made = ";".join(kept)
    if made == value or len(made) > _MAX_VALUE:
        return tracestate
    others = [member for member in tracestate.split(",") if member.strip() and not _is_ours(member)]
    return ",".join([f"ot={made}", *others] if made else others)


def _is_ours(member: str) -> bool:
    return member.lstrip(" \t").startswith("ot=")


def _value(tracestate: str) -> str:
    """The value of the first `ot` member; empty if there is none."""
    if "ot=" not in tracestate:
        return ""
    return next((member.strip()[3:] for member in tracestate.split(",") if _is_ours(member)), "")


def _sub_key(tracestate: str, key: str) -> str:
    """The value of one sub-key; empty if it is missing."""
    for part in _value(tracestate).split(";"):
        name, _, text = part.partition(":")
        if name == key:
            return text
    return ""
