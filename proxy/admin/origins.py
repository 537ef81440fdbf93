"""Whether a request comes from a web page of another site. Pure.

A page can make a browser send requests to loopback, and reads no answer; so what counts is that nothing is done.
Browsers say where a request comes from: `Origin` (RFC 6454, 7) with each POST, and `Sec-Fetch-Site` (Fetch Metadata).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}


def is_of_another_site(origins: Iterable[str], fetch_sites: Iterable[str], host: str) -> bool:
    """By the values of Origin, Sec-Fetch-Site and Host. Without either of the first two it is not a browser's."""
    if any(site.strip().lower() not in ("none", "same-origin") for site in fetch_sites):
        return True
    own = host.strip().lower()
    return any(_host_of(origin) != own for origin in origins)


def _host_of(origin: str) -> str | None:
    """The host and port of an origin; None: `null`, and what cannot be read."""
    try:
        parts = urlsplit(origin.strip().lower())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.netloc or parts.username is not None:
        return None
    return parts.netloc.rpartition(":")[0] if port == _PORTS[parts.scheme] else parts.netloc
