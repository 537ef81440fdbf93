"""One kept connection to a collector: a POST, an answer. Blocking, so only for the sender's thread.

May know sockets and HTTP. Must not know what is sent, or when it is retried.
Answers are limited in bytes, and any thread may call `abort` to end a wait: a collector must not cost time or memory.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple

from proxy.plan.export import Endpoint

_MAX_ANSWER_BYTES: Final = 64 * 1024


class Answer(NamedTuple):
    """What the collector said."""

    status: int
    retry_after: str | None
    body: bytes


class CollectorError(Exception):
    """No answer; the message says why, in a few words."""


class Collector:
    """See the module."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None  # of the connection, for `abort`
        self._is_aborted = False

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send `body`. Raises CollectorError.

        If the collector has closed the kept connection meanwhile,
        it is silently replaced once: OTLP allows duplicate batches.
        """
        was_kept = self._connection is not None
        self._is_aborted = False
        try:
            return self._post(body, headers)
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            self.close()
            if not was_kept or self._is_aborted:
                raise CollectorError(_told(error)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise CollectorError(_told(error)) from None
        try:
            return self._post(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise CollectorError(_told(error)) from None

    def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._connect()
        connection.request("POST", self._endpoint.path, body, {**dict(self._endpoint.headers), **headers})
        with connection.getresponse() as response:
            answer = response.read(_MAX_ANSWER_BYTES + 1)
            if len(answer) > _MAX_ANSWER_BYTES:
                raise http.client.HTTPException("the answer is too long")
            if self._is_aborted:  # then we ended the head, or the answer
                raise TimeoutError
            if response.will_close or not response.isclosed():  # unread bytes would look like the next answer
                self.close()
            return Answer(response.status, response.headers.get("Retry-After"), answer)

    def _connect(self) -> http.client.HTTPConnection:
        endpoint = self._endpoint
        connection: http.client.HTTPConnection
        if endpoint.tls is None:
            connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=endpoint.timeout_s)
        else:
            connection = http.client.HTTPSConnection(
                endpoint.host, endpoint.port, timeout=endpoint.timeout_s, context=endpoint.tls
            )
        connection.connect()
        self._socket = connection.sock
        return connection

    def abort(self) -> None:
        """End a wait for the collector, from any thread; the waiting `post` raises CollectorError."""
        waiting = self._socket
        if waiting is not None:
            self._is_aborted = True
            with contextlib.suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next `post` makes a new one."""
        self._socket = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _told(error: Exception) -> str:
    """The error in a few words, without text from outside."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, socket.gaierror):
        return f"its name has no address: {error.strerror}"
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection without an answer"
    if isinstance(error, http.client.HTTPException):
        return f"its answer is not HTTP: {type(error).__name__}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
