"""Apps that answer by themselves, for tests that are not about the app."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from lab.messages import Malformed, Message, Truncated
from lab.peers import Upstream, UpstreamConnection

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Answering:
    """Serves an `Upstream` in threads: every request on every connection gets `response`, or what that returns."""

    def __init__(self, upstream: Upstream, response: bytes | Callable[[Message], bytes] = OK) -> None:
        self.requests: list[Message] = []
        self.connections = 0
        self._response = response
        self._upstream = upstream
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return self._upstream.url

    def _accept(self) -> None:
        self._upstream.sock.settimeout(None)
        with contextlib.suppress(OSError):
            while True:
                app = self._upstream.accept()
                app.sock.settimeout(None)
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(app,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, app: UpstreamConnection) -> None:
        with contextlib.suppress(OSError, Truncated, Malformed):
            while True:
                request = app.request()
                self.requests.append(request)
                app.send(self._response if isinstance(self._response, bytes) else self._response(request))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._upstream.sock.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._upstream.shut()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Answering:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
