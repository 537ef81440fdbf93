"""The plan: the settings, compiled once per (re)load into what a request needs. Immutable.

`compile` makes it from the settings; everything else here is values.
No sockets, clocks or event loop: a plan is a value.
"""

from proxy.address import Address
from proxy.plan.export import Endpoint, ExportPlan
from proxy.plan.listener import Clients, Direction, DrainPlan, Limits, ListenerPlan, Plan
from proxy.plan.router import Router
from proxy.plan.upstream import (
    BaggageMode,
    Mode,
    PoolPlan,
    PropagationPlan,
    SpansPlan,
    Timeouts,
    UpstreamPlan,
    UpstreamTarget,
)

__all__ = [
    "Address",
    "BaggageMode",
    "Clients",
    "Direction",
    "DrainPlan",
    "Endpoint",
    "ExportPlan",
    "Limits",
    "ListenerPlan",
    "Mode",
    "Plan",
    "PoolPlan",
    "PropagationPlan",
    "Router",
    "SpansPlan",
    "Timeouts",
    "UpstreamPlan",
    "UpstreamTarget",
]
