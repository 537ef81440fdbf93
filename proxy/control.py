"""What the admin listener can show and do, wired to those who do it. Part of the composition.

May know the lifecycle, the settings in force, and the plan. Must not know HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from proxy.lifecycle import Generation, Lifecycle
from proxy.listener.trials import ShownExample, told
from proxy.plan import Plan
from proxy.settings import Loaded
from proxy.settings.shown import as_json as settings_json
from proxy.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from proxy.explain.by_plan import Question
    from proxy.explain.headers import Header

LEVEL_SOURCE = "POST /log-level"


class InForce(Protocol):
    """The settings in force, and the log level that replaces theirs."""

    @property
    def loaded(self) -> Loaded: ...
    @property
    def plan(self) -> Plan: ...

    level: str | None

    def again(self, number: int) -> Generation:
        """The same settings as a new generation."""


class SidecarControl:
    """As the admin listener wants it (`admin.changes.Control`)."""

    def __init__(
        self,
        in_force: InForce,
        lifecycle: Callable[[], Lifecycle],
        *,
        metrics: Metrics,
        shadow_examples: Callable[[], dict[tuple[str, str], dict[str, ShownExample]]],
    ) -> None:
        """`shadow_examples`: by listener and upstream, the last of each difference."""
        self._in_force = in_force
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._shadow_examples = shadow_examples

    def config(self) -> dict[str, object]:
        """The settings in force, with their sources, as `ops-sidecar check --json` shows them."""
        return {"generation": self._in_force.plan.generation, **settings_json(self._in_force.loaded)}

    def shadow(self) -> dict[str, object]:
        """What would differ with the settings of `propagation.shadow`: counts since the start, and examples."""
        plan = self._in_force.plan
        return {"generation": plan.generation, "routes": told(plan.shadowed, self._metrics, self._shadow_examples())}

    def explain(self, headers: Sequence[Header], question: Question) -> dict[str, object]:
        """What the plan in force makes of a request, as `ops-sidecar explain --json`. Raises UnknownListenerError."""
        from proxy.explain.by_plan import as_json, explain  # costs memory only if somebody asks

        plan = self._in_force.plan
        return {"generation": plan.generation, **as_json(explain(plan, headers, question))}

    async def reload(self) -> Sequence[str]:
        """Read the settings again. Returns the problems; then nothing has changed."""
        return await self._lifecycle().reload()

    async def set_level(self, level: str | None) -> Sequence[str]:
        """Log from `level` on, over reloads; None: as the settings say. Returns the problems."""
        before, self._in_force.level = self._in_force.level, level
        problems = await self._lifecycle().reload(self._in_force.again)
        if problems:
            self._in_force.level = before
        return problems

    def drain(self) -> None:
        """End, as on SIGTERM."""
        self._lifecycle().drain()

    @property
    def takes_changes(self) -> bool | None:
        """Whether callers may change the sidecar; None: those on this machine."""
        changes = self._in_force.loaded.settings.admin.changes
        return None if changes == "auto" else changes
