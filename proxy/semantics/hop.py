"""What this hop adds to the requests of one connection: Via and X-Forwarded-*. PURE."""

from __future__ import annotations

from typing import final

from proxy.semantics.request import Field, Request


@final
class Hop:
    """The additions for one client of one listener. They are the same for each of its requests."""

    __slots__ = ("also", "client", "forwarded", "kept", "tells_host", "via")

    def __init__(self, *, via: bytes, client: bytes, forwarded: bool, tells_host: bool = True) -> None:
        """`via`: our name in Via, empty for none; `client`: its address, empty if it has none.

        `forwarded`: whether X-Forwarded-* are written; `tells_host`: with X-Forwarded-Proto and -Host.
        These two give the URL of the request to us, and apps build their own URLs from them.
        The URL by which an app reached its outbound listener is not fit for that.
        """
        self.tells_host = forwarded and tells_host
        self.via = via
        self.client = client
        self.forwarded = forwarded
        self.kept: list[bytes | None] = [None, None]  # for HTTP/1: the bytes for a first hop, by minor version
        self.also: object = None  # what another protocol's writer remembers of it

    def is_first(self, request: Request) -> bool:
        """Whether `request` has a host, and no trace of an earlier proxy. Most requests are so."""
        return not (
            request.via
            or request.forwarded_for
            or request.has_forwarded_proto
            or request.has_forwarded_host
            or not request.host
            or request.scheme == "https"
        )

    def fields(self, request: Request) -> list[Field]:
        """The fields to add to `request`; its host, if any, comes last."""
        added: list[Field] = []
        if self.via:
            added.append((b"Via", b", ".join((*request.via, request.version + b" " + self.via))))
        if not self.forwarded:
            return added
        clients = (*request.forwarded_for, self.client) if self.client else request.forwarded_for
        if clients:
            added.append((b"X-Forwarded-For", b", ".join(clients)))
        if not self.tells_host:
            return added
        if not request.has_forwarded_proto:
            added.append((b"X-Forwarded-Proto", b"https" if request.scheme == "https" else b"http"))
        if request.host and not request.has_forwarded_host:
            added.append((b"X-Forwarded-Host", request.host))
        return added
