"""The sidecar's own answers, as HTTP/1.1 writes them. PURE: values in, bytes out."""

from __future__ import annotations

from typing import Final

from proxy.semantics.problem import ALLOW, Problem

ESTABLISHED: Final = b"HTTP/1.1 200 Connection Established\r\n\r\n"  # to CONNECT


def problem_response(
    problem: Problem, *, date: bytes, head_only: bool = False, close: bool = True, trace: bytes = b""
) -> bytes:
    """The whole response. `date` is the time as a Date field has it (RFC 9110, 6.6.1), `trace` a line that tells it.

    With `head_only` (for HEAD), the body is left out, but not its length.
    """
    lines = [b"HTTP/1.1 %d %b" % (problem.status, problem.title.encode("ascii"))]
    lines += [name + b": " + value for name, value in problem.fields]
    lines += [b"Content-Length: %d" % len(problem.content), b"Date: " + date]
    if trace:
        lines.append(trace)
    if close:
        lines.append(b"Connection: close")
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    return head if head_only else head + problem.content


def options_response(date: bytes, *, close: bool = False) -> bytes:
    """The answer to an OPTIONS that is not forwarded (RFC 9110, 7.6.2)."""
    last = b"Connection: close\r\n\r\n" if close else b"\r\n"
    return b"HTTP/1.1 200 OK\r\nDate: %b\r\n%b: %b\r\nContent-Length: 0\r\n%b" % (date, *ALLOW, last)
