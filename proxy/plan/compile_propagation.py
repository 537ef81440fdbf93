"""Settings -> PropagationPlan: how context and session are read and written, and as what else, for comparison."""

from __future__ import annotations

from dataclasses import replace

from proxy.plan.participation import SamplingPlan
from proxy.plan.upstream import PropagationPlan
from proxy.settings.sections.export import SamplingSettings
from proxy.settings.sections.propagation import PropagationSettings, ShadowSettings
from proxy.settings.values import ratio_of


def propagation_plan(propagation: PropagationSettings, sampling: SamplingSettings, *, exports: bool) -> PropagationPlan:
    """The plan's value of merged sections. `exports`: whether spans leave."""
    mode = propagation.mode
    plan = PropagationPlan(
        extract=propagation.extract,
        inject=propagation.inject,
        mode=("participate" if exports else "translate") if mode == "auto" else mode,
        session_inject=propagation.session.inject,
        session_extract=propagation.session.extract,
        session_bridge=propagation.session.bridge,
        baggage=propagation.baggage,
        on_defer=ratio_of(propagation.on_defer),
        grpc_unsampled=propagation.grpc_unsampled,
        lossless=propagation.lossless,
        clear=propagation.clear,
        carry_over=propagation.carry_over,
        mirror=propagation.mirror,
        response_header=propagation.response_header,
        sampling=SamplingPlan(sampling.root, sampling.per_second, sampling.parent_based),
    )
    return replace(plan, shadow=_shadow(plan, propagation.shadow))


def _shadow(plan: PropagationPlan, shadow: ShadowSettings) -> PropagationPlan | None:
    """`plan` with the keys that `shadow` sets; None if it sets none."""
    changes = {key: value for key, value in shadow if value is not None}
    if not changes:
        return None
    if "on_defer" in changes:
        changes["on_defer"] = ratio_of(changes["on_defer"])
    return replace(plan, mirror=False, **changes)
