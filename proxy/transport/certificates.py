"""The names that a peer's certificate is for. PURE.

A certificate comes as `ssl.SSLSocket.getpeercert` tells of one that was verified. Of any other it tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NAMED: Final = ("DNS", "URI")  # RFC 5280, 4.2.1.6; a workload's SPIFFE id is a URI
_MOST_NAMES: Final = 64
_LONGEST: Final = 512  # characters of a name that is kept


def certificate_names(certificate: object) -> tuple[str, ...]:
    """Its names, in lower case: DNS names and URIs. Where it has none, the common name of its subject.

    None where there is no certificate.
    """
    if not isinstance(certificate, Mapping):
        return ()
    found = [value for kind, value in certificate.get("subjectAltName", ()) if kind in _NAMED]
    if not found:
        found = [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
    return tuple(name.lower() for name in found[:_MOST_NAMES] if len(name) <= _LONGEST)
