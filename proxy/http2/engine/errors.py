"""What a peer can do wrong, by what it ends: the connection or one stream (RFC 9113, 5.4). PURE."""

from __future__ import annotations


class ConnectionFault(Exception):
    """Ends the connection with GOAWAY. `code` is one of `codes`."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Malformed(Exception):
    """A message that is not HTTP (8.1.1). Ends its stream with PROTOCOL_ERROR."""
