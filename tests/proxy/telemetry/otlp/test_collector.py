"""One connection to a collector: kept or made anew, and what is said of one that cannot be reached."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from lab.collectors import LIMIT_S, OK, answer, collecting

from proxy.plan.export import Endpoint
from proxy.telemetry.otlp.collector import Collector, CollectorError


def to(port: int, **more: Any) -> Collector:
    return Collector(Endpoint("127.0.0.1", port, "/v1/x", **{"timeout_s": LIMIT_S, **more}))


def refused(collector: Collector) -> str:
    with pytest.raises(CollectorError) as caught:
        collector.post(b"x", {})
    return str(caught.value)


def test_an_answer_with_its_parts() -> None:
    with collecting(answer(503, b"why", b"Retry-After: 7\r\n")) as peer:
        collector = to(peer.port, headers=(("X-A", "1"), ("X-B", "2")))
        assert collector.post(b"body", {"X-B": "3"}) == (503, "7", b"why")
        head, body = peer.next()
        assert collector.post(b"", {}) == (200, None, b"")
        collector.close()
    assert (head.split(b"\r\n")[0], body) == (b"POST /v1/x HTTP/1.1", b"body")
    assert (b"X-A: 1" in head, b"X-B: 3" in head, b"X-B: 2" in head) == (True, True, False)
    assert peer.connections == 1


def test_an_answer_of_64_kib_is_read_and_a_longer_one_is_a_failure() -> None:
    with collecting(answer(200, b"x" * 65536), answer(200, b"x" * 65537)) as peer:
        collector = to(peer.port)
        assert len(collector.post(b"", {}).body) == 65536
        assert refused(collector) == "its answer is not HTTP: HTTPException"
        assert collector.post(b"", {}).status == 200
        collector.close()
    assert peer.connections == 2


def test_a_connection_that_will_close_is_not_kept() -> None:
    with collecting(answer(200, b"x", b"Connection: close\r\n")) as peer:
        collector = to(peer.port)
        for _ in range(2):
            assert collector.post(b"", {}).status == 200
        collector.close()
    assert peer.connections == 2


def leave(connection: socket.socket) -> None:
    """Without an answer."""


def test_a_new_connection_that_says_nothing_is_a_failure_and_a_kept_one_is_replaced_once() -> None:
    said = "it closed the connection without an answer"
    with collecting(leave, OK, leave, leave, leave, OK, leave, b"x\r\n\r\n") as peer:
        collector = to(peer.port)
        assert refused(collector) == said
        assert collector.post(b"", {}).status == 200
        assert refused(collector) == said  # the kept one, and the one that replaced it
        assert refused(collector) == said  # a new one
        assert collector.post(b"", {}).status == 200
        assert refused(collector).startswith("its answer is not HTTP: ")
        collector.close()
    assert peer.connections == 6


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (b"SSH-2.0\r\n\r\n", "its answer is not HTTP: BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n", "its answer is not HTTP: HTTPException"),
    ],
)
def test_what_is_said_of_an_answer_that_is_none(wire: bytes, said: str) -> None:
    with collecting(wire) as peer:
        assert refused(to(peer.port)) == said


def test_what_is_said_of_one_that_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert refused(to(port)) == "Connection refused"
    nowhere = Collector(Endpoint("no-such-name.invalid", 1, "/", timeout_s=LIMIT_S))
    assert refused(nowhere).startswith("its name has no address: ")
    stay = threading.Event()
    with collecting(lambda _: (stay.wait(LIMIT_S), None)[1]) as peer:
        assert refused(to(peer.port, timeout_s=0.05)) == "it did not answer in time"
        stay.set()


def test_a_wait_can_be_ended_from_another_thread() -> None:
    """Then the collector was too slow, and a kept connection is not replaced."""
    asked, stay = threading.Event(), threading.Event()

    def say_nothing(connection: socket.socket) -> None:
        asked.set()
        stay.wait(LIMIT_S)

    with collecting(OK, say_nothing) as peer:
        collector = to(peer.port)
        collector.abort()  # there is nothing to end
        collector.post(b"", {})
        said: list[str] = []
        waiting = threading.Thread(target=lambda: said.append(refused(collector)))
        waiting.start()
        assert asked.wait(LIMIT_S)
        collector.abort()
        waiting.join(LIMIT_S)
        stay.set()
        assert said == ["it closed the connection without an answer"]
        assert collector.post(b"", {}).status == 200
        collector.close()
        collector.close()
    assert peer.connections == 2
