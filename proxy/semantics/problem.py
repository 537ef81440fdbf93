"""The answer to a request that is not forwarded, as a value:
`application/problem+json` (RFC 9457) with `Proxy-Status` (RFC 9209).
PURE. Each protocol has its own writer for it.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from proxy.semantics.faults import Fault

PROXY_NAME = "ops-sidecar"
TYPE_PREFIX = "urn:ops-sidecar:problem:"
ALLOW = (b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")

# RFC 8941 sf-string: visible ASCII and space; quote and backslash are escaped.
_LONGEST = 300  # characters of a detail: it may name a host, which a client chooses
_NOT_SF_STRING = re.compile(r"[^\x20-\x7e]")


class Problem(NamedTuple):
    """The answer. Its writer adds framing and Date."""

    status: int
    title: str
    fields: list[tuple[bytes, bytes]]
    content: bytes


def problem_of(fault: Fault, detail: str) -> Problem:
    """The answer to `fault`. `detail` is for the person who fixes it; it is empty if outsiders must not see it."""
    if len(detail) > _LONGEST:
        detail = f"{detail[:_LONGEST]}..."
    said = {
        "type": TYPE_PREFIX + fault.label,
        "title": fault.title,
        "status": fault.status,
        "detail": detail,
        "proxy_error": fault.proxy_error,
    }
    if not detail:
        del said["detail"]
    content = json.dumps(said).encode()
    quoted = _NOT_SF_STRING.sub("?", detail).replace("\\", "\\\\").replace('"', '\\"')
    details = f'; details="{quoted}"' if quoted else ""
    fields = [
        (b"Content-Type", b"application/problem+json"),
        (b"Proxy-Status", f"{PROXY_NAME}; error={fault.proxy_error}{details}".encode("ascii")),
        (b"Cache-Control", b"no-store"),
    ]
    if fault.retry_after_s:
        fields.append((b"Retry-After", b"%d" % fault.retry_after_s))
    if fault is Fault.METHOD_NOT_ALLOWED:
        fields.append(ALLOW)
    return Problem(fault.status, fault.title, fields, content)
