"""How long a sidecar may be silent, by what it says of itself."""

from __future__ import annotations

import pytest
from gates.fleet import Replica, fleet


@pytest.mark.parametrize(
    ("said_s", "kept_ms"), [(10.0, 10_000), (0.0, 1), (0.0001, 1), (86_400.0, 86_400_000), (90_000.0, 86_400_000)]
)
def test_the_time_between_reports_is_believed_within_bounds(said_s: float, kept_ms: int) -> None:
    """From a millisecond to a day."""
    with fleet() as (time, console):
        replica = Replica(time, "orders", "node-1", interval_s=said_s)
        console.take(replica.report())
        assert console.connection.execute("SELECT interval_ms FROM sidecars").fetchone() == (kept_ms,)
