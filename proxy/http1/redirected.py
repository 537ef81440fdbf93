"""A client's connection, where rules of the kernel have redirected it: it was meant to go elsewhere.

May know the listener, which makes tunnels. Must not know messages: `client` reads them.
"""

from __future__ import annotations

from proxy.http1.awaiting import Awaiting
from proxy.http1.connection import BUSY
from proxy.listener.listener import Listener
from proxy.plan import Address
from proxy.semantics.faults import Refusal
from proxy.transport.deadlines import NEVER
from proxy.transport.original import original_destination


def is_foreign(data: bytes) -> bool:
    """Whether the first bytes of a connection are not HTTP/1.1: no method begins so (RFC 9110, 9.1), or HTTP/2."""
    return (not data[:1].isalpha() and data[:1] not in b"\r\n") or data.startswith(b"PRI *")


class Redirected(Awaiting):
    """One connection from a client, and where it was meant to go."""

    __slots__ = ("_original", "_passes")

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        self._original: Address | None = None  # None: it was meant to come here
        self._passes = False  # through a tunnel, since it does not speak HTTP/1.1

    def _look_where_to(self) -> None:
        if self._listener.rules.is_transparent:
            self._original = original_destination(self.transport)

    def original(self) -> Address | None:
        return self._original

    def _pass(self, data: bytes) -> None:
        """Make a tunnel to where it was meant to go. `data`: its first bytes."""
        original = self._original
        assert original is not None
        self._passes = True
        self._state = BUSY
        self.deadline = NEVER
        self._put_aside(data)
        try:
            self._listener.connect_redirected(self, original)
        except Refusal as refusal:
            self.refuse(refusal)

    def _refuse_tunnel(self, refusal: Refusal) -> None:
        """It would not understand an answer of ours."""
        self._listener.record_refused(None, self.address, refusal)
        self.transport.abort()
