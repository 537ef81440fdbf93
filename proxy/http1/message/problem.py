"""The sidecar's own responses: `application/problem+json` (RFC 9457) with `Proxy-Status` (RFC 9209). PURE."""

from __future__ import annotations

import json
import re

from proxy.semantics.faults import Fault

PROXY_NAME = "ops-sidecar"
TYPE_PREFIX = "urn:ops-sidecar:problem:"

_ALLOW = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

# RFC 8941 sf-string: visible ASCII and space; quote and backslash are escaped.
_NOT_SF_STRING = re.compile(r"[^\x20-\x7e]")


def problem_response(fault: Fault, detail: str, *, date: bytes, head_only: bool = False, close: bool = True) -> bytes:
    """The whole response as bytes. `date` is the time as a Date field has it (RFC 9110, 6.6.1).

    With `head_only` (the request was HEAD) the body is left out, its length is not.
    """
    body = json.dumps(
        {
            "type": TYPE_PREFIX + fault.label,
            "title": fault.title,
            "status": fault.status,
            "detail": detail,
            "proxy_error": fault.proxy_error,
        },
    ).encode()
    quoted = _NOT_SF_STRING.sub("?", detail).replace("\\", "\\\\").replace('"', '\\"')
    lines = [
        f"HTTP/1.1 {fault.status} {fault.title}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        f'Proxy-Status: {PROXY_NAME}; error={fault.proxy_error}; details="{quoted}"',
        f"Date: {date.decode('ascii')}",
        "Cache-Control: no-store",
    ]
    if fault.retry_after_s:
        lines.append(f"Retry-After: {fault.retry_after_s}")
    if fault is Fault.METHOD_NOT_ALLOWED:
        lines.append(_ALLOW)
    if close:
        lines.append("Connection: close")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head if head_only else head + body


def options_response(date: bytes, *, close: bool = False) -> bytes:
    """The answer to an OPTIONS that may go no further (RFC 9110, 7.6.2)."""
    last = b"Connection: close\r\n\r\n" if close else b"\r\n"
    return b"HTTP/1.1 200 OK\r\nDate: %b\r\n%b\r\nContent-Length: 0\r\n%b" % (date, _ALLOW.encode(), last)
