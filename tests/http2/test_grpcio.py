"""grpcio on both sides of a sidecar, and of two: unary calls, three kinds of streams, deadlines, errors, refusals."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import grpc
import pytest
from lab.peers import Upstream
from lab.rpc import Caller, Service
from lab.sidecar import LISTEN, Sidecar

pytestmark = pytest.mark.logs

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
W3C = (("traceparent", f"00-{T}-{S}-01"),)
B3 = (("x-b3-traceid", T), ("x-b3-spanid", S), ("x-b3-sampled", "1"))
MIB = 1024 * 1024

Beside = Callable[..., Sidecar]
Calling = Callable[..., Caller]
Start = Callable[..., Sidecar]


@pytest.fixture(params=["one", "two"])
def caller(request: pytest.FixtureRequest, beside: Beside, start: Start, calling: Calling) -> Caller:
    """Of a service behind one sidecar; or behind two, which speak B3 to each other."""
    inner = beside()
    if request.param == "one":
        return calling(inner)
    upstream = {
        "name": "echo",
        "listen": LISTEN,
        "target": f"http://127.0.0.1:{inner.addresses['inbound'].port}",
        "propagation": {"inject": ["b3multi"]},
    }
    outer = start({"inbound": {"listen": "off"}, "upstreams": [upstream]})
    return calling(outer, "echo")


def test_a_unary_call_is_translated(beside: Beside, calling: Calling, service: Service) -> None:
    caller = calling(beside())
    assert caller.unary("Echo", b"hello", metadata=(*B3, ("x-mine", "1"), ("x-mine-bin", b"\x00\xff"))) == b"hello"
    (seen,) = service.seen
    assert seen["traceparent"] == f"00-{T}-{S}-01"
    assert not [name for name in seen if "b3" in name]
    assert (seen["x-mine"], seen["x-mine-bin"]) == ("1", b"\x00\xff")


def test_context_and_session_survive(caller: Caller, service: Service) -> None:
    """All that W3C says, through B3 where there are two sidecars."""
    caller.unary("Echo", metadata=(*W3C, ("x-mirascope-session-id", "s-1"), ("baggage", "a=1")))
    (seen,) = service.seen
    assert (seen["traceparent"], seen["x-mirascope-session-id"], seen["baggage"]) == (W3C[0][1], "s-1", "a=1")


def test_messages_of_3_mib(caller: Caller) -> None:
    message = bytes(range(256)) * (3 * MIB // 256)
    assert caller.unary("Echo", message) == message


def test_an_error_arrives_with_its_details(caller: Caller) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        caller.unary("Fail")
    error = raised.value
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "no such thing: ü 100%"
    assert dict(error.trailing_metadata())["details-bin"] == b"\x00\xff\x01"


def test_an_unknown_method(caller: Caller) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        caller.unary("Nothing")
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_of_answers(caller: Caller) -> None:
    answers = caller.multi("unary_stream", "Many")(b"200,100000", timeout=20)
    assert dict(answers.initial_metadata())["x-early"] == "1"
    assert sum(map(len, answers)) == 200 * 100_000


def test_a_stream_of_requests(caller: Caller) -> None:
    assert caller.multi("stream_unary", "Sum")((bytes(100_000) for _ in range(100)), timeout=20) == b"10000000"


def test_a_conversation(caller: Caller) -> None:
    """Each side waits for the other's message."""
    waiting: queue.Queue[bytes | None] = queue.Queue()
    answers = caller.multi("stream_stream", "Talk")(iter(waiting.get, None), timeout=20)
    for number in range(50):
        waiting.put(b"%d" % number)
        assert next(answers) == b"re: %d" % number
    waiting.put(None)
    assert list(answers) == []


def test_an_answer_that_comes_early(caller: Caller) -> None:
    """The service answers while its caller still sends: the answer arrives whole, trailers included."""
    stop = threading.Event()

    def endless() -> Iterator[bytes]:
        while not stop.is_set():
            yield bytes(10_000)

    assert caller.multi("stream_unary", "Early")(endless(), timeout=20) == b"enough"
    stop.set()


def test_a_cancelled_call_is_cancelled_at_the_service(caller: Caller, service: Service) -> None:
    call = caller.channel.unary_unary("/lab.Echo/Wait").future(b"", timeout=20)
    assert service.began.wait(10)
    call.cancel()
    assert service.gone.wait(10)


def test_a_deadline(caller: Caller, service: Service) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        caller.unary("Wait", timeout=0.3)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert service.gone.wait(10)
    service.release.set()
    assert caller.unary("Echo", b"after") == b"after"


def test_many_calls_at_once(caller: Caller) -> None:
    call = caller.channel.unary_unary("/lab.Echo/Echo")
    futures = [call.future(b"%d" % number, timeout=20) for number in range(300)]
    assert [future.result() for future in futures] == [b"%d" % number for number in range(300)]


# --- refusals of the sidecar


def code_of(caller: Caller, name: str = "Echo", **more: object) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as raised:
        caller.unary(name, **more)  # type: ignore[arg-type]
    return raised.value.code(), raised.value.details()


def test_a_service_that_is_not_there(start: Start, calling: Calling) -> None:
    code, text = code_of(calling(start({"inbound": {"app": "http://127.0.0.1:1"}})))
    assert code is grpc.StatusCode.UNAVAILABLE
    assert text == "127.0.0.1 port 1 refuses connections"


def test_an_app_that_speaks_no_http2(start: Start, calling: Calling, upstream: Upstream) -> None:
    """Its caller is told, and told again without asking the app each time."""
    caller = calling(start({"inbound": {"app": upstream.url}}))
    call = caller.channel.unary_unary("/lab.Echo/Echo").future(b"", timeout=10)
    app = upstream.accept()
    assert app.until(b"\r\n\r\n") == b"PRI * HTTP/2.0"
    app.send(b"HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 0\r\n\r\n").close()
    with pytest.raises(grpc.RpcError) as raised:
        call.result()
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "gRPC needs HTTP/2 from end to end" in raised.value.details()
    assert code_of(caller)[0] is grpc.StatusCode.UNAVAILABLE
    assert not upstream.has_caller()


def test_a_prohibited_destination(start: Start, calling: Calling, service: Service) -> None:
    """The authority of a call says where it goes, on the outbound listener."""
    there = ("grpc.default_authority", f"127.0.0.1:{service.port}")
    allowed = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}})
    assert calling(allowed, "outbound", there).unary("Echo", b"hello") == b"hello"
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN, "deny": ["127.0.0.1"]}})
    caller = calling(sidecar, "outbound", there)
    assert code_of(caller)[0] is grpc.StatusCode.PERMISSION_DENIED


def test_a_caller_with_too_many_calls(beside: Beside, calling: Calling, service: Service) -> None:
    caller = calling(beside({"clients": {"max_exchanges": 1}}))
    waiting = caller.channel.unary_unary("/lab.Echo/Wait").future(b"", timeout=20)
    assert service.began.wait(10)
    assert code_of(caller)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    service.release.set()
    assert waiting.result() == b"late"


def test_details_can_be_kept_from_outsiders(start: Start, calling: Calling) -> None:
    sidecar = start({"inbound": {"app": "http://127.0.0.1:1"}, "forwarding": {"details": False}})
    assert code_of(calling(sidecar)) == (grpc.StatusCode.UNAVAILABLE, "Bad Gateway")


def test_calls_are_counted_and_logged(beside: Beside, calling: Calling) -> None:
    sidecar = beside()
    caller = calling(sidecar)
    caller.unary("Echo", b"12345", metadata=B3)
    code_of(caller, "Fail")
    sidecar.until(lambda: len(sidecar.records) == 2)
    good, bad = sidecar.records
    assert (good.method, good.path, good.status, good.trace_id) == ("POST", "/lab.Echo/Echo", 200, T)
    assert (good.bytes_in, good.bytes_out) == (10, 10), "five bytes of a message, and five that frame it"
    assert (bad.status, bad.error) == (200, "")
    translation = sidecar.metrics.exchange("inbound", "app").translation
    assert (translation.extracted, translation.injected) == ({"b3multi": 1}, {"tracecontext": 1})
