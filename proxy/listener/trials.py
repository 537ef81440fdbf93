"""What shadows would do: counted, with the last example of each difference.

May know shadows and translations. A bug in here never breaks an exchange: it is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import time
from typing import Final, TypedDict

from ops_lib.propagation import cargo_of
from proxy.participation.linking import Linked
from proxy.semantics.request import Field, Request
from proxy.shadow import SAME, Example, Shadow
from proxy.telemetry.metrics import Metrics, TranslationMetrics, count
from proxy.telemetry.report.exchange import masked
from proxy.translated import Translation

_MOST_FIELDS: Final = 40  # of each part of an example
_MOST_BYTES: Final = 512  # of each value
ERROR: Final = "error"  # a bug of ours


class ShownExample(TypedDict):
    """As it may be shown: values of baggage are masked."""

    at: float
    came: list[tuple[str, str]]
    goes: list[tuple[str, str]]
    would_go: list[tuple[str, str]]


class Trial:
    """The shadow of one route, and what was found."""

    __slots__ = ("_clock", "_examples", "_shadow")

    def __init__(self, shadow: Shadow, examples: dict[str, Example], clock: Callable[[], float]) -> None:
        """`examples`: the last of each difference."""
        self._shadow = shadow
        self._examples = examples
        self._clock = clock

    def begin(self) -> None:
        """A request is about to be translated."""
        self._shadow.begin()

    def compare(
        self,
        metrics: TranslationMetrics,
        request: Request,
        made: Translation,
        rule: int,
        linked: Linked | None = None,
    ) -> None:
        """Count what would differ of `request`, which goes out as `made`."""
        try:
            found = self._shadow.compare(made, request.trace, request, rule, linked)
        except Exception:  # a bug of ours, in something that is never sent
            count(metrics.shadow, ERROR)
            return
        example: Example | None = None
        for difference in found.differences:
            count(metrics.shadow, difference)
            if difference != SAME:
                example = example or Example(self._clock(), request.trace, found.goes, found.would_go)
                self._examples[difference] = example


class Trials:
    """Of all routes. One per data plane; examples outlive reloads."""

    __slots__ = ("_clock", "_examples")

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._examples: dict[tuple[str, str], dict[str, Example]] = {}  # by listener and upstream

    def of(self, listener: str, upstream: str, shadow: Shadow | None) -> Trial | None:
        """For the route from `listener` to `upstream`; None without a shadow."""
        if shadow is None:
            return None
        return Trial(shadow, self._examples.setdefault((listener, upstream), {}), self._clock)

    def keep_only(self, routes: set[tuple[str, str]]) -> None:
        """Forget the examples of all other routes."""
        self._examples = {route: found for route, found in self._examples.items() if route in routes}

    def examples(self) -> dict[tuple[str, str], dict[str, ShownExample]]:
        """The last of each difference, by listener and upstream."""
        return {
            route: {
                difference: ShownExample(
                    at=one.at, came=_shown(one.came), goes=_shown(one.goes), would_go=_shown(one.would_go)
                )
                for difference, one in found.items()
            }
            for route, found in self._examples.items()
        }


def told(
    routes: Iterable[tuple[str, str]], metrics: Metrics, examples: Mapping[tuple[str, str], dict[str, ShownExample]]
) -> list[dict[str, object]]:
    """Of each listener and upstream: counts by difference, and the last example of each, as JSON can say it."""
    return [
        {
            "listener": listener,
            "upstream": upstream,
            "counts": dict(metrics.exchange(listener, upstream).translation.shadow),
            "examples": examples.get((listener, upstream), {}),
        }
        for listener, upstream in sorted(routes)
    ]


def _shown(fields: list[Field]) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), _safe(name.lower(), value[:_MOST_BYTES]).decode("latin-1"))
        for name, value in fields[:_MOST_FIELDS]
    ]


def _safe(name: bytes, value: bytes) -> bytes:
    return masked(name, value) if cargo_of(name.decode("latin-1")) == "baggage" else value
