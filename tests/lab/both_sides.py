"""A sidecar with both sides of an app: who calls it, and the service that it calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.messages import Message
from lab.peers import Upstream
from lab.sidecar import Sidecar
from lab.wire import Wire


class BothSides(Wire):
    """The app is `upstream`, and calls `billing`."""

    def __init__(self, sidecar: Sidecar, upstream: Upstream, billing: Upstream) -> None:
        super().__init__(sidecar, upstream)
        self.billing = billing

    @contextmanager
    def at_app(self, *fields: str) -> Iterator[Message]:
        """A request with `fields` is at the app; what it saw. Afterwards the app answers."""
        client = self.client()
        client.send("\r\n".join(["GET /in HTTP/1.1", "Host: shop", *fields, "", ""]).encode())
        app = self.upstream.busy()
        yield app.request()
        app.reply()
        assert client.response().status == 200
        self.settle()
