"""What the access log is told of one exchange. A value; how it is written is the log's business."""

from __future__ import annotations

from typing import NamedTuple


class AccessRecord(NamedTuple):
    """One exchange that is over. Made only where there is an access log."""

    listener: str
    upstream: str  # empty: refused before it had one
    client: str  # IP address; empty on a Unix socket
    method: str
    path: str  # without its query, which may hold secrets
    status: int  # 0: the client got none
    bytes_in: int  # request content
    bytes_out: int  # response content
    duration_s: float
    trace_id: str  # of the context that went to the upstream; empty for none
    session: str  # empty for none
    error: str  # label of the fault, empty for none
    detail: str  # what was wrong, in words; empty where `error` is


def shown_path(target: bytes) -> str:
    """A request target without its query."""
    return target.split(b"?", 1)[0].decode("latin-1")
