"""The log line of each request at `log.level: debug`: what was read, which format won, what was written, and why.

May know what is accounted, and translations. Never shows a query string, or a header's value except ids.
"""

from __future__ import annotations

from ops_lib.propagation import Extraction, Sampling
from proxy.listener.accounting import Accounted
from proxy.semantics.faults import Refusal
from proxy.semantics.request import Request
from proxy.translated import Translation

_LONGEST = 200  # characters of text that a client chooses


def explanation(accounted: Accounted, status: int, refusal: Refusal | None) -> dict[str, object]:
    """The fields of one line, without empty ones. `refusal`: why the request failed."""
    translation = accounted.translation
    terms = accounted.terms
    told: dict[str, object] = {
        "listener": terms.listener,
        "upstream": terms.upstream,
        "method": accounted.request.method.decode("ascii"),
        "path": _path(accounted.request),
        "status": status,
    }
    if translation is not None:
        told |= _translated(translation, terms.upstream)
    told |= _failed(refusal)
    return {key: value for key, value in told.items() if value != ""}


def refused(listener: str, request: Request | None, refusal: Refusal) -> dict[str, object]:
    """The same for a request without a route; None if its head could not be read."""
    told: dict[str, object] = {"listener": listener}
    if request is not None:
        told |= {"method": request.method.decode("ascii"), "path": _path(request)}
    return told | {"status": refusal.fault.status} | _failed(refusal)


def _failed(refusal: Refusal | None) -> dict[str, object]:
    return {"error": refusal.fault.label, "detail": refusal.detail[:_LONGEST]} if refusal is not None else {}


def _path(request: Request) -> str:
    return request.path.partition(b"?")[0].decode("latin-1")[:_LONGEST]


def _translated(translation: Translation, upstream: str) -> dict[str, object]:
    extraction, context = translation.extraction, translation.context
    written = ",".join(translation.injected)
    why = []
    if extraction is not None and extraction.winner is not None:
        why.append(f"{extraction.winner} is the first that counts, in the order of propagation.extract")
    elif extraction is None or not extraction.says:
        why.append("no trace header came")
    if written:
        why.append(f"propagation.inject for {upstream} is {written}")
    return {
        "read": _read(extraction) if extraction is not None else "nothing",
        "trace_id": context.trace_id if context is not None else "",
        "span_id": context.span_id if context is not None else "",
        "sampling": context.sampling.name.lower() if context is not None else "",
        "session": "carried" if extraction is not None and extraction.session is not None else "",
        "written": written or "nothing",
        "lost": ",".join(f"{format}:{loss}" for format, loss in translation.losses),
        "others": ",".join(":".join(one) for one in translation.foreign),
        "refused": ",".join(translation.refused),
        "withheld": ",".join(translation.withheld),
        "why": "; ".join(why),
    }


def _read(extraction: Extraction) -> str:
    """Each format with its fate, such as `tracecontext:wins b3:conflict jaeger:malformed(shape)`."""
    conflicts = {format for format, _ in extraction.conflicts}
    words = []
    for said in extraction.says:
        if said.what is None:
            word = f"malformed({said.malformed})" if said.malformed else "says-nothing"
        elif said.format == extraction.winner:
            word = "wins"
        elif said.format in conflicts:
            word = "conflict"
        elif isinstance(said.what, Sampling):
            word = "bare-decision"
        else:
            word = "same-trace" if extraction.context and said.what.trace_id == extraction.context.trace_id else "aside"
        words.append(f"{said.format}:{word}")
    if extraction.session_malformed is not None:
        words.append(f"session:malformed({extraction.session_malformed})")
    if extraction.baggage_malformed is not None:
        words.append(f"baggage:malformed({extraction.baggage_malformed})")
    return " ".join(words) or "nothing"
