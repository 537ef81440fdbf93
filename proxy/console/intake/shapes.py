"""The shapes of the documents that sidecars report, and what is left of one that has another. PURE.

They come from outside, and whoever answers from them shall not have to look again.
So what has another type is left out, as is what is not known.
docs/console.md says what each document is about.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Shape = Any
"""TEXT and the other leaves, or one of the classes below."""

TEXT: Final = "text"
NUMBER: Final = "number"
TRUTH: Final = "truth"
VALUE: Final = "value"  # whatever JSON can say

_LONGEST: Final = 4096  # characters of a text
_MOST: Final = 5_000  # items of a list or of an object
_LARGEST: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class ListOf:
    """Items that have another shape are left out."""

    item: Shape


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object with any keys. Values that have another shape are left out."""

    value: Shape


@dataclass(frozen=True, slots=True)
class Record:
    """An object with these keys. Without one of `required`, all of it is left out."""

    required: Mapping[str, Shape] = field(default_factory=dict)
    optional: Mapping[str, Shape] = field(default_factory=dict)


class _Unfit:
    """Stands for what is left of a value with another shape."""


UNFIT: Final = _Unfit()


def fit(shape: Shape, value: object) -> Any:
    """What is left of `value`, which `json.loads` has read; UNFIT if that is nothing."""
    if isinstance(shape, ListOf):
        if not isinstance(value, list):
            return UNFIT
        return [found for one in value[:_MOST] if (found := fit(shape.item, one)) is not UNFIT]
    if isinstance(shape, MapOf):
        if not isinstance(value, dict):
            return UNFIT
        fitting = ((key[:_LONGEST], fit(shape.value, one)) for key, one in list(value.items())[:_MOST])
        return {key: found for key, found in fitting if found is not UNFIT}
    if isinstance(shape, Record):
        return _fit_record(shape, value)
    return _fit_leaf(shape, value)


def _fit_record(shape: Record, value: object) -> Any:
    if not isinstance(value, dict):
        return UNFIT
    made = {}
    for key, inner in (*shape.required.items(), *shape.optional.items()):
        found = fit(inner, value.get(key, UNFIT))
        if found is not UNFIT:
            made[key] = found
        elif key in shape.required:
            return UNFIT
    return made


def _fit_leaf(shape: str, value: object) -> Any:
    if shape == TEXT:
        return value[:_LONGEST] if isinstance(value, str) else UNFIT
    if shape == TRUTH:
        return value if isinstance(value, bool) else UNFIT
    if shape == NUMBER:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if is_number and math.isfinite(value) and abs(value) < _LARGEST else UNFIT  # type: ignore[arg-type]
    return value


_TEXTS: Final = ListOf(TEXT)
_COUNTS: Final = MapOf(NUMBER)
_FIELDS: Final = ListOf(_TEXTS)  # names and values
_PLANNED: Final = dict.fromkeys(("target", "mode", "baggage", "on_defer", "listener"), TEXT)

DOCUMENTS: Final[Mapping[str, Shape]] = {
    "ops.plan": Record(
        optional={
            "generation": NUMBER,
            "via": TEXT,
            "listeners": ListOf(
                Record({"name": TEXT}, {"leg": TEXT, "addresses": _TEXTS, "extract": _TEXTS, "trust": _TEXTS})
            ),
            "upstreams": ListOf(
                Record(
                    {"name": TEXT, "extract": _TEXTS, "inject": _TEXTS},
                    {**_PLANNED, "egress": MapOf(_TEXTS)},
                )
            ),
        }
    ),
    "ops.settings": ListOf(
        Record({"key": TEXT, "source": TEXT}, {"value": VALUE, "default": VALUE, "where": TEXT, "hot": TRUTH})
    ),
    "ops.health": Record(
        optional={
            **dict.fromkeys(("phase", "version"), TEXT),
            **dict.fromkeys(("started", "generation", "cpu_s", "rss_bytes", "fds"), NUMBER),
            "ready": TRUTH,
            "buckets_s": ListOf(NUMBER),
            "exchanges": ListOf(
                Record(
                    {"listener": TEXT, "upstream": TEXT},
                    {"requests": ListOf(NUMBER), "counts": ListOf(NUMBER), "sum_s": NUMBER},
                )
            ),
            "listeners": ListOf(
                Record({"name": TEXT}, dict.fromkeys(("open", "limit", "total", "refused"), NUMBER)),
            ),
            "upstreams": ListOf(
                Record(
                    {"name": TEXT},
                    {
                        **dict.fromkeys(("open", "idle", "limit", "queued", "connects", "reused"), NUMBER),
                        "failures": _COUNTS,
                    },
                )
            ),
            "exporters": ListOf(Record({"name": TEXT}, {"sent": NUMBER, "waiting_bytes": NUMBER, "dropped": _COUNTS})),
            "reloads": ListOf(Record({"at": NUMBER, "ok": TRUTH, "message": TEXT}, {"generation": NUMBER})),
        }
    ),
    "ops.shadow": ListOf(
        Record(
            {"listener": TEXT, "upstream": TEXT},
            {
                "counts": _COUNTS,
                "examples": MapOf(Record({"at": NUMBER}, {"came": _FIELDS, "goes": _FIELDS, "would_go": _FIELDS})),
            },
        )
    ),
    "ops.proofs": MapOf(MapOf(VALUE)),
}
