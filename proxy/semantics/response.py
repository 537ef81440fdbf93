"""A response as a proxy sees it, whatever version of HTTP carried it (RFC 9110). PURE. See `request`."""

from __future__ import annotations

from abc import ABC, abstractmethod

from proxy.semantics.request import Field


class Response(ABC):
    """One response. What most responses do not have is a default of the class, as in `Request`."""

    status: int
    length: int | None = None  # as announced, whether or not content follows; None: not announced
    trailer = b""  # what Trailer announces
    upgrade = b""  # of a 101: the protocols that are switched to

    def has_body(self, method: bytes) -> bool:
        """Whether content follows, which may still be empty (RFC 9110, 6.4.1); `method`: of the request."""
        status = self.status
        return status >= 200 and status != 204 and status != 304 and method != b"HEAD"

    @property
    @abstractmethod
    def version(self) -> bytes:
        """The version that it came in, as Via has it (RFC 9110, 7.6.3)."""

    @abstractmethod
    def fields(self) -> list[Field]:
        """What is forwarded as it came. Framing is not among them."""

    @abstractmethod
    def has_date(self) -> bool:
        """Whether there is a Date among them."""
