"""Request targets (RFC 9112, 3.2). PURE."""

from __future__ import annotations

from typing import NamedTuple

from proxy.http1.message.grammar import ABSOLUTE_FORM
from proxy.semantics.faults import Fault, Refusal


class RequestTarget(NamedTuple):
    """A request target, split."""

    path: bytes  # the forwarded form: origin-form or "*"
    authority: bytes | None  # from an absolute-form target; replaces Host
    scheme: str


def parse_target(method: bytes, target: bytes) -> RequestTarget:
    """Any form except authority-form, which only CONNECT has. Raises Refusal."""
    if target.startswith(b"/"):
        return RequestTarget(target, None, "http")
    if target == b"*":
        if method != b"OPTIONS":
            raise Refusal(Fault.BAD_TARGET, "the target * belongs to OPTIONS only")
        return RequestTarget(target, None, "http")
    match = ABSOLUTE_FORM.fullmatch(target)
    if match is None or not match[2]:
        raise Refusal(Fault.BAD_TARGET, "the request target is neither a path nor an absolute http or https URI")
    path = match[3]
    if not path.startswith(b"/"):
        # RFC 9112, 3.2.1 and 3.2.4: an empty path is "/", or "*" for OPTIONS.
        path = b"*" if not path and method == b"OPTIONS" else b"/" + path
    return RequestTarget(path, match[2], match[1].decode("ascii").lower())
