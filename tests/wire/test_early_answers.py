"""Answers that come before the request has been sent whole, refusals to clients that still send: none is lost."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

import pytest
from lab.messages import Truncated
from lab.pump import MIB
from lab.wire import Wire

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


def test_until_close_before_the_upload_is_read(wire: Wire) -> None:
    """The app answers early, ends, and reads no more: its answer is whole all the same."""
    client = wire.client()

    def upload() -> None:
        with contextlib.suppress(OSError):
            client.sock.sendall(POST % (100 * MIB) + bytes(32 * MIB))

    sending = threading.Thread(target=upload)
    sending.start()
    app = wire.accept()
    app.stream.request_head()
    app.send(b"HTTP/1.1 413 Content Too Large\r\n\r\ntoo much").finish()
    answer = client.response()
    assert (answer.status, answer.framing, answer.body) == (413, "chunked", b"too much")
    client.reset()
    sending.join()


def test_a_refusal_reaches_a_client_that_is_still_sending(wired: Callable[..., Wire]) -> None:
    """It is not reset away."""
    wire = wired({"limits": {"body_bytes": 10}})
    client = wire.client()
    client.send(POST % MIB)
    client.send(bytes(MIB), piece=10_000)
    assert client.response().status == 413


def test_http10_sees_a_cut_answer_by_a_reset(wire: Wire) -> None:
    """Its answer ends at close, so only a reset tells a cut from an end."""
    client = wire.client()
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    app = wire.accept()
    app.request()
    app.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    client.until(b"hello")
    app.close()
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)


@pytest.mark.parametrize("behind", [b"", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"])
def test_half_a_request_behind_a_whole_one(wired: Callable[..., Wire], behind: bytes) -> None:
    """The client ends its side: the first is answered, the half one refused, nothing else follows."""
    wire = wired({"clients": {"half_close": "serve"}})
    client = wire.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + behind).finish()
    wire.accept().answer()
    assert client.response().status == 200
    if behind:
        assert client.response().status == 400
    with pytest.raises(Truncated):
        client.response()
    assert wire.sidecar.plane.in_flight() == 0


@pytest.mark.parametrize("framing", [b"Content-Length: 8\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_refusal_by_an_app_that_closes_without_reading_arrives(framing: bytes, wire: Wire) -> None:
    """Its close resets the connection under our next write; what it said before waits in the kernel."""
    words = b"8\r\ntoo much\r\n0\r\n\r\n" if b"chunked" in framing else b"too much"
    for _ in range(15):
        client = wire.client()
        sending = threading.Thread(target=_upload, args=(client.sock,))
        sending.start()
        app = wire.accept()
        app.stream.request_head()
        app.sock.sendall(b"HTTP/1.1 413 Content Too Large\r\n" + framing + b"\r\n" + words)
        app.sock.close()
        answer = client.response()
        client.reset()
        sending.join()
        assert (answer.status, answer.body) == (413, b"too much")


def _upload(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(POST % (8 * MIB) + bytes(8 * MIB))
