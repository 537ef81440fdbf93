"""What may leave for which host. PURE.

What counts is where a request really goes, by its name or address as the settings or the request write it: a name is
never looked up for it. A Unix socket goes by the name of `localhost`.
"""

from __future__ import annotations

from ops_lib.hosts import HostPattern, HostTable
from proxy.plan.participation import CargoPlan, EgressPlan

_Table = HostTable[bool]


class Egress:
    """An EgressPlan, compiled."""

    __slots__ = ("_baggage", "_session", "_trace")

    def __init__(self, plan: EgressPlan) -> None:
        self._trace = _table(plan.trace)
        self._session = _table(plan.session)
        self._baggage = _table(plan.baggage)

    def allowed(self, host: str, port: int) -> CargoPlan:
        """What may go to `host`, in any spelling, and `port`."""
        host = host or "localhost"
        return CargoPlan(
            trace=_is_listed(self._trace, host, port),
            session=_is_listed(self._session, host, port),
            baggage=_is_listed(self._baggage, host, port),
        )


def _table(patterns: tuple[HostPattern, ...] | None) -> _Table | None:
    return HostTable((pattern, True) for pattern in patterns) if patterns is not None else None


def _is_listed(table: _Table | None, host: str, port: int) -> bool:
    return table is None or bool(table.find(host, port))
