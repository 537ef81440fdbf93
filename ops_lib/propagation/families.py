"""Trace headers of families that we do not translate, by their names. Must not know what they say.

These headers pass unchanged.
They are counted and named, because they tell another story beside ours.
`propagation.clear` names the families to remove.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final, Literal

from . import session
from .baggage import BAGGAGE, JAEGER_BAGGAGE, UBERCTX, Baggage
from .errors import UnknownFamilyError
from .registry import CODECS

_WITHOUT_A_CODEC: Final[dict[str, tuple[str, ...]]] = {
    "datadog": ("x-datadog-*",),  # Datadog, "Propagating trace context"
    "xray": ("x-amzn-trace-id",),  # AWS X-Ray, "Tracing header"
    "gcp": ("x-cloud-trace-context",),  # Google Cloud Trace, "Trace context"
    "sentry": ("sentry-trace",),  # Sentry, "Distributed tracing"; its part of `baggage` is baggage
    "opentracing": ("ot-tracer-*", "ot-baggage-*"),  # OpenTracing's basic tracers
    "skywalking": ("sw8", "sw8-correlation", "sw8-x"),  # SkyWalking, "Cross process propagation headers protocol"
    "instana": ("x-instana-*",),  # Instana, "HTTP tracing headers"
}


_BAGGAGE_OF_FAMILIES: Final = ("ot-baggage-", "sw8-correlation")  # what applications hand on beside the trace


def _families() -> dict[str, tuple[str, ...]]:
    found = dict(_WITHOUT_A_CODEC)
    for codec in CODECS:
        if not codec.by_default:
            found[codec.format] = tuple(dict.fromkeys((*found.get(codec.format, ()), *sorted(codec.names))))
    return found


FAMILIES: Final = _families()
"""The headers of each family, in lower case; `*` stands for any rest.

A format that is not a default is one, too: it is only translated if the settings name it.
"""

_FORMER_NAMES: Final = {"grpc": "grpc-trace-bin"}  # of families that have become formats

_EXACT: Final = {name: family for family, names in FAMILIES.items() for name in names if not name.endswith("*")}
_PREFIXES: Final = tuple(
    (name[:-1], family) for family, names in FAMILIES.items() for name in names if name.endswith("*")
)


def family_of(name: str) -> str | None:
    """The family of the header `name`, in any letter case; also
    of an underscore twin, which CGI servers confuse with it.
    """
    plain = name.lower().replace("_", "-")
    family = _EXACT.get(plain)
    if family is None:
        for prefix, other in _PREFIXES:
            if plain.startswith(prefix):
                return other
    return family


def parse_families(names: Iterable[str]) -> tuple[str, ...]:
    """The families named `names`: letter case does not matter, duplicates count once.

    Raises UnknownFamilyError, which names the wrong one and lists the right ones.
    """
    found: dict[str, None] = {}
    for name in names:
        family = name.strip().lower()
        family = _FORMER_NAMES.get(family, family)
        if family not in FAMILIES:
            raise UnknownFamilyError(f"unknown family of trace headers {name!r}; known are: {', '.join(FAMILIES)}")
        found[family] = None
    return tuple(found)


Cargo = Literal["trace", "session", "baggage"]
"""What a header may carry. For whoever has to keep one of them back, from a host or of a peer."""

_TRACE: Final = frozenset(name for codec in CODECS for name in codec.names)
_BAGGAGE: Final = frozenset({BAGGAGE, JAEGER_BAGGAGE})
_SESSION: Final = frozenset(name.lower() for name in session.EXTRACT_NAMES)

SESSION_KEY: Final = "session.id"
"""The baggage key of a session (OpenTelemetry semantic conventions)."""
_SENTRY: Final = "sentry-"  # Sentry's "dynamic sampling context": trace id, decision


def cargo_of(name: str, session_names: AbstractSet[str] = frozenset()) -> Cargo | None:
    """What the header `name` carries, in any case or as an underscore twin; None for one of no family.

    `session_names`: those that settings name beside the usual ones, in lower case and with hyphens.
    """
    plain = name.lower().replace("_", "-")
    if plain in _SESSION or plain in session_names:
        return "session"
    if plain in _BAGGAGE or plain.startswith(UBERCTX):
        return "baggage"
    if plain in _TRACE:
        return "trace"
    if family_of(plain) is None:
        return None
    return "baggage" if plain.startswith(_BAGGAGE_OF_FAMILIES) else "trace"


def without_cargo(baggage: Baggage | None, *, trace: bool, session: bool) -> Baggage | None:
    """`baggage` without the members that are a trace, or a session, where these are False; None where none is left."""
    if baggage is None:
        return None
    members = tuple(
        member
        for member in baggage.members
        if (session or member.key.lower() != SESSION_KEY) and (trace or not member.key.lower().startswith(_SENTRY))
    )
    return baggage._replace(members=members) if members else None
