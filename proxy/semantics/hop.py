"""What this hop adds to the requests of one connection: Via and X-Forwarded-*. PURE."""

from __future__ import annotations

from typing import final

from proxy.semantics.request import Field, Request


@final
class Hop:
    """Of one client, as one listener sees it. Its values do not change from one request to the next."""

    __slots__ = ("client", "forwarded", "kept", "via")

    def __init__(self, *, via: bytes, client: bytes, forwarded: bool) -> None:
        """`via`: our name in Via, empty for none; `client`: its address, empty where it has none.

        `forwarded`: whether X-Forwarded-* are written.
        """
        self.via = via
        self.client = client
        self.forwarded = forwarded
        self.kept: dict[bytes, bytes] = {}  # a writer's own: by version, what it makes of a first hop (0.4 µs less)

    def is_first(self, request: Request) -> bool:
        """Whether no proxy before us has left its mark on `request`, as on most."""
        return not (request.via or request.forwarded_for or request.has_forwarded_proto or request.scheme == "https")

    def fields(self, request: Request) -> list[Field]:
        """What is added to `request`, but for its host."""
        added: list[Field] = []
        if self.via:
            added.append((b"Via", b", ".join((*request.via, request.version + b" " + self.via))))
        if not self.forwarded:
            return added
        clients = (*request.forwarded_for, self.client) if self.client else request.forwarded_for
        if clients:
            added.append((b"X-Forwarded-For", b", ".join(clients)))
        if not request.has_forwarded_proto:
            added.append((b"X-Forwarded-Proto", b"https" if request.scheme == "https" else b"http"))
        return added

    def forwarded_host(self, request: Request) -> bytes:
        """The value of X-Forwarded-Host; empty for none."""
        return request.host if self.forwarded and not request.has_forwarded_host else b""
