"""What the app was told, read from the trace fields that were written for it: of requests that nobody remembered.

May know the plan and the heart. Values that the app's own format cannot say are lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ops_lib.propagation import FORMATS, Fields, Propagator
from proxy.plan import PropagationPlan
from proxy.semantics.request import Field
from proxy.translated import FullTranslation


def reread(plan: PropagationPlan, written: Iterable[Field]) -> FullTranslation:
    """As the translation by `plan` that has `written` these fields."""
    fields: Fields = {}
    headers = list(written)
    for name, value in headers:
        fields.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    said = _reader(plan).extract(fields)
    return FullTranslation(
        headers,
        said,
        tuple(each.format for each in said.says if each.what is not None),
        (),
        said.context,
        session=said.session.encode("latin-1") if said.session is not None else None,
    )


@lru_cache(16)
def _reader(plan: PropagationPlan) -> Propagator:
    return Propagator(
        extract=FORMATS if plan.mirror else plan.inject,
        session_extract=(plan.session_inject,) if plan.session_inject else (),
        session_bridge=plan.session_bridge,
    )
