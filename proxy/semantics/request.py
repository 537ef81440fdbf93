"""A request as a proxy sees it, in any version of HTTP (RFC 9110). PURE.

Each protocol has its own subclass, which knows how the message came.
Code that routes, translates, counts or forwards a request uses this class only.
So a request may leave in another version than it came in.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Final

from proxy.semantics.authority import Authority

Field = tuple[bytes, bytes]  # name as it came, value

# Safe to send twice: RFC 9110, 9.2.2.
IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE", b"QUERY"))

# RFC 9110, 9.1 and RFC 5789. To telemetry, any other is `_OTHER`, so that no sender can make up names and series.
METHODS: Final = frozenset(
    (b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"TRACE")
)  # fmt: skip

# How long both sides of it may be silent is a matter of its kind. Each has timeouts of its own (`terms`).
PROMPT: Final = 0  # a request that is to be answered
CALL: Final = 1  # of gRPC: it may stream in both directions, for hours, and says itself how long it may take
TUNNEL: Final = 2  # an extended CONNECT (RFC 8441): bytes in both directions

_NOBODY: Final = Authority("", 0)


class Weighed(metaclass=ABCMeta):
    """What takes room in a request, beside its trace fields."""

    @abstractmethod
    def weigh(self) -> tuple[int, int]:
        """How many fields there are, and how many bytes they and the path take in HTTP/1.1."""


class Request(Weighed):
    """One request. Values that few requests have are class attributes, for speed (docs/decisions/006)."""

    method: bytes
    path: bytes  # origin-form or "*"; authority-form for CONNECT
    scheme = "http"
    host = b""  # the authority as received; empty: none
    authority: Authority = _NOBODY  # the same, parsed
    length: int | None = 0  # of the content; None: only known at its end
    upgrade = b""  # the protocol, if this is a real upgrade
    max_forwards: int | None = None
    via: tuple[bytes, ...] = ()
    forwarded_for: tuple[bytes, ...] = ()
    trace: list[Field]  # for the translator
    pace = PROMPT
    version = b"1.1"  # that it came in, as Via has it (RFC 9110, 7.6.3)
    # Side by side, for room (`proxy.compiling`).
    takes_trailers = False
    expects_continue = False  # its content comes after a 100 (RFC 9110, 10.1.1)
    has_forwarded_host = False
    has_forwarded_proto = False
    binds_connection = False  # its credentials log in the connection that it is sent on

    @property
    def has_body(self) -> bool:
        """Whether content follows the head."""
        return self.length is None or self.length > 0

    @abstractmethod
    def fields(self) -> list[Field]:
        """Fields that are forwarded unchanged. Host, framing, trace and Via are not among them."""

    @abstractmethod
    def field(self, name: bytes) -> bytes:
        """The value of the first of `fields` with this name (lower case); empty if there is none."""

    @abstractmethod
    def forward(self, name: bytes, value: bytes) -> None:
        """Add to `fields`."""
