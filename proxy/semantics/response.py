"""A response as a proxy sees it, in any version of HTTP (RFC 9110). PURE. See `request`."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod

from proxy.semantics.request import Field


class Response(metaclass=ABCMeta):
    """One response. Values that few responses have are class attributes, as in `Request`."""

    status: int
    length: int | None = None  # as announced, whether or not content follows; None: not announced
    trailer = b""  # what Trailer announces
    upgrade = b""  # of a 101: the protocols that are switched to
    binds_connection = False  # it asks for credentials that log in the connection

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
        """Fields that are forwarded unchanged. Framing is not among them."""

    @abstractmethod
    def has_date(self) -> bool:
        """Whether they include a Date."""
