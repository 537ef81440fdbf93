"""One sidecar between a raw client and a scripted app, and the three or four things that most tests do with it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lab.messages import Message
from lab.peers import Client, Upstream, UpstreamConnection
from lab.sidecar import Sidecar


@dataclass
class Wire:
    """A sidecar between a client and a scripted app."""

    sidecar: Sidecar
    upstream: Upstream

    def client(self, listener: str = "inbound") -> Client:
        return self.sidecar.client(listener)

    def accept(self) -> UpstreamConnection:
        """The next connection that the sidecar makes to the app."""
        app = self.upstream.accept()
        app.settle = self.sidecar.settle
        return app

    def settle(self) -> None:
        self.sidecar.settle()

    def exchange(self, client: Client, request: bytes, body: bytes = b"ok") -> Message:
        """Send `request` from `client`, let the app answer 200 with `body`, read that, and return what the app saw."""
        client.send(request)
        seen = self.upstream.answer(body)
        answer = client.response(seen.method.decode())
        assert (answer.status, answer.body) == (200, b"" if seen.method == b"HEAD" else body)
        return seen

    def passes(self, request: bytes, *, piece: int = 0) -> Message:
        """Send `request` on a new connection, answer it with 200, and return it as the app saw it."""
        client = self.client()
        client.send(request, piece=piece)
        seen = self.upstream.answer()
        assert client.response(seen.method.decode()).status == 200
        return seen

    def answers(
        self, response: bytes, *, method: str = "GET", version: bytes = b"1.1", piece: int = 0, close: bool = False
    ) -> Message:
        """Send a request, let the app answer `response` as it stands, and return what the client saw."""
        client = self.client()
        client.send(method.encode() + b" / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
        app = self.upstream.busy()
        app.stream.request_head()
        app.settle = self.sidecar.settle
        app.send(response, piece=piece)
        if close:
            app.close()
        return client.response(method)


def check_problem(answer: Message, status: int, error: bytes) -> None:
    """One of the sidecar's own responses, in full."""
    assert answer.status == status
    assert answer.head.value("content-type") == b"application/problem+json"
    proxy_status = answer.head.value("proxy-status") or b""
    assert b"; error=" + error in proxy_status, proxy_status
    problem = json.loads(answer.body)
    assert (problem["status"], bool(problem["title"]), bool(problem["type"]), bool(problem["detail"])) == (
        status,
        True,
        True,
        True,
    )
    assert answer.head.value("date") is not None  # RFC 9110 6.6.1: an origin server with a clock must, for 4xx too
