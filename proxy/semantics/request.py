"""A request as a proxy sees it, whatever version of HTTP carried it (RFC 9110). PURE.

Each protocol has a class of its own below this one, which knows how the message came. Whoever routes, translates,
counts or sends a request on asks this class only, so that a request may leave in another version than it came in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from proxy.semantics.authority import Authority

Field = tuple[bytes, bytes]  # name as it came, value

# Safe to send twice: RFC 9110, 9.2.2.
IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE", b"QUERY"))

_NOBODY: Final = Authority("", 0)


class Request(ABC):
    """One request. What most requests do not have is a default of the class: to set it each time costs 0.5 µs."""

    method: bytes
    path: bytes  # origin-form or "*"; authority-form for CONNECT
    scheme = "http"
    host = b""  # the authority as it came; empty: none came
    authority: Authority = _NOBODY  # the same, read
    length: int | None = 0  # of the content; None: known only at its end
    takes_trailers = False
    upgrade = b""  # the protocol, if this is a real upgrade
    max_forwards: int | None = None
    via: tuple[bytes, ...] = ()
    forwarded_for: tuple[bytes, ...] = ()
    has_forwarded_host = False
    has_forwarded_proto = False
    trace: list[Field]  # for the translator

    @property
    def has_body(self) -> bool:
        """Whether content follows the head."""
        return self.length is None or self.length > 0

    @property
    @abstractmethod
    def version(self) -> bytes:
        """The version that it came in, as Via has it (RFC 9110, 7.6.3)."""

    @abstractmethod
    def fields(self) -> list[Field]:
        """What is forwarded as it came. Host, framing, trace and Via are not among them."""

    def field(self, name: bytes) -> bytes:
        """The value of the first of `fields` with this name (lower case); empty if there is none."""
        return next((value for key, value in self.fields() if key.lower() == name), b"")

    def weigh(self) -> tuple[int, int]:
        """How many `fields` there are, and how many bytes they and the path take in HTTP/1.1."""
        fields = self.fields()
        return len(fields), sum(len(name) + len(value) + 4 for name, value in fields) + len(self.path)

    @abstractmethod
    def forward(self, name: bytes, value: bytes) -> None:
        """Add to `fields`."""
