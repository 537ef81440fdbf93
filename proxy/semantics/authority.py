"""The authority of a request: a host and a port (RFC 9110, 4.2). PURE."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

# DNS names have 253 characters at most, and a final dot. Longer text does not name a host.
MAX_AUTHORITY_BYTES: Final = 254 + len(":65535")

# RFC 3986, 3.2: host [ ":" port ], without userinfo, which RFC 9110, 4.2.4 forbids.
# Narrower: no percent-encoding (its decoding is ambiguous), no comma (two hosts merged into one field), no IPvFuture.
_AUTHORITY: Final = re.compile(rb"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._~!$&'()*+;=-]+))(?::([0-9]{0,5}))?")


class Authority(NamedTuple):
    """A host and port. `host` is lower case, IPv6 without brackets; `port` 0: not given."""

    host: str
    port: int


def parse_authority(raw: bytes) -> Authority | None:
    """`host[:port]`, or None if it is malformed, empty or too long."""
    match = _AUTHORITY.fullmatch(raw) if len(raw) <= MAX_AUTHORITY_BYTES else None
    if match is None:
        return None
    bracketed, name, digits = match.groups()
    port = int(digits) if digits else 0
    if port > 65535 or (digits and port == 0):
        return None
    if bracketed is None:
        return Authority(name.decode("ascii").lower(), port)
    try:
        address = ipaddress.IPv6Address(bracketed.decode("ascii"))
    except ValueError:
        return None
    return Authority(str(address), port)
