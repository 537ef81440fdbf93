"""Request targets and authorities (RFC 9112, 3.2; RFC 9110, 4.2). PURE."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from proxy.http1.errors import Fault, Refusal
from proxy.http1.grammar import ABSOLUTE_FORM, AUTHORITY


class Authority(NamedTuple):
    """A host and port. `host` is lower case, IPv6 without brackets; `port` 0: not given."""

    host: str
    port: int


def parse_authority(raw: bytes) -> Authority | None:
    """`host[:port]`, or None where it is malformed or empty."""
    match = AUTHORITY.fullmatch(raw)
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


class Target(NamedTuple):
    """A request target, taken apart."""

    path: bytes  # what is sent on: origin-form or "*"
    authority: bytes | None  # of an absolute-form target; it replaces Host
    scheme: str


def parse_target(method: bytes, target: bytes) -> Target:
    """Any form but authority-form, which is CONNECT's alone. Raises Refusal."""
    if target.startswith(b"/"):
        return Target(target, None, "http")
    if target == b"*":
        if method != b"OPTIONS":
            raise Refusal(Fault.BAD_TARGET, "the target * belongs to OPTIONS only")
        return Target(target, None, "http")
    match = ABSOLUTE_FORM.fullmatch(target)
    if match is None or not match[2]:
        raise Refusal(Fault.BAD_TARGET, "the request target is neither a path nor an absolute http or https URI")
    path = match[3]
    if not path.startswith(b"/"):
        # RFC 9112, 3.2.1 and 3.2.4: an empty path is "/", or "*" for OPTIONS.
        path = b"*" if not path and method == b"OPTIONS" else b"/" + path
    return Target(path, match[2], match[1].decode("ascii").lower())
