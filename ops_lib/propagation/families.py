"""Trace headers of families that we do not translate, by their names. Must not know what they say.

These headers pass unchanged.
They are counted and named, because they tell another story beside ours.
`propagation.clear` names the families to remove.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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
    "grpc": ("grpc-trace-bin",),  # OpenCensus, "BinaryEncoding"
}


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
        if family not in FAMILIES:
            raise UnknownFamilyError(f"unknown family of trace headers {name!r}; known are: {', '.join(FAMILIES)}")
        found[family] = None
    return tuple(found)
