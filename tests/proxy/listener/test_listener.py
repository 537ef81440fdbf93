"""What goes to an upstream, and where: hop-by-hop fields, Host, Via, X-Forwarded-*, translation, loops, routing."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from proxy.plan import Address, Router, UpstreamTarget

GET = b"GET / HTTP/1.1\r\nHost: app\r\n"


async def sent(lab: Any, fields: bytes, **changes: Any) -> bytes:
    """What a request with `fields` becomes."""
    sidecar, origin = await lab.pair(**changes)
    await sidecar.ask(GET + b"Connection: close\r\n" + fields + b"\r\n")
    return bytes(origin.requests[0])


async def test_hop_by_hop_fields_stay_here(lab: Any) -> None:
    fields = [
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Authorization: Basic x",
        b"TE: gzip",
        b"Trailer: X",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABkAAQAAP__",
        b"Connection: X-Mine, x-other, HTTP2-Settings, upgrade",
        b"X-Mine: 1",
        b"X-OTHER: 2",
        b"X-Kept: 3",
    ]
    head = await sent(lab, b"".join(field + b"\r\n" for field in fields))
    assert b"\r\nX-Kept: 3\r\n" in head
    lower = head.lower()
    for field in fields[:-1]:
        assert b"\r\n" + field.split(b":")[0].lower() + b":" not in lower


async def test_te_trailers_is_said_anew(lab: Any) -> None:
    head = await sent(lab, b"TE: gzip;q=0.5, trailers\r\n")
    assert b"\r\nConnection: TE\r\nTE: trailers\r\n" in head


async def test_a_connection_field_cannot_strip_what_is_ours(lab: Any) -> None:
    head = await sent(lab, b"Connection: Host, Content-Length, Via, X-Forwarded-For\r\nX-Forwarded-For: 1.2.3.4\r\n")
    assert b"\r\nHost: app\r\n" in head
    assert b"\r\nVia: 1.1 " in head
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in head


async def test_order_case_and_duplicates_survive(lab: Any) -> None:
    fields = b"X-b: 1\r\nx-A: 2\r\nX-B: 3\r\ncookie: a=b\r\nCOOKIE: c=d\r\nX-Empty:\r\n"
    assert fields in await sent(lab, fields)


async def test_forwarded_fields_are_appended_to(lab: Any) -> None:
    head = await sent(
        lab, b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop\r\nVia: 1.0 fred\r\n"
    )
    assert b"\r\nX-Forwarded-For: 10.0.0.1, 127.0.0.1\r\n" in head
    assert head.count(b"X-Forwarded-Proto") == head.count(b"X-Forwarded-Host") == 1
    assert b"\r\nVia: 1.0 fred, 1.1 inbound." in head


async def test_forwarded_fields_may_be_off(lab: Any) -> None:
    head = await sent(lab, b"Via: 1.0 fred\r\nX-Forwarded-For: 10.0.0.1\r\n", via=False, x_forwarded=False)
    assert b"\r\nVia: 1.0 fred\r\n" in head
    assert b"\r\nX-Forwarded-For: 10.0.0.1\r\n" in head
    assert b"X-Forwarded-Proto" not in head


async def test_translation(lab: Any) -> None:
    """Every trace field is taken out, whatever its case, and the formats of the plan are written."""
    head = await sent(
        lab,
        b"x-b3-traceid: 463ac35c9f6413ad48485a3953bb6124\r\nX-B3-SpanId: a2fb4a1d1a96d312\r\nX-B3-SAMPLED: 1\r\n"
        b"uber-trace-id: bogus\r\nMirascope-Session-Id: s1\r\n",
    )
    assert b"\r\ntraceparent: 00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01\r\n" in head
    assert b"\r\nX-Mirascope-Session-Id: s1\r\n" in head
    assert b"\r\nx-b3" not in head.lower()
    assert b"\r\nuber" not in head.lower()


async def test_a_trace_field_that_connection_names_is_gone(lab: Any) -> None:
    head = await sent(lab, b"Connection: b3\r\nb3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1\r\n")
    assert b"traceparent" not in head


async def test_host_of_the_target(lab: Any) -> None:
    sidecar, origin = await lab.pair(preserve_host=False)
    await sidecar.ask(GET + b"Connection: close\r\n\r\n")
    assert b"\r\nHost: 127.0.0.1:%d\r\n" % origin.port in origin.requests[0]


async def test_http_1_0_without_host_gets_the_targets(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    await sidecar.ask(b"GET / HTTP/1.0\r\n\r\n")
    assert origin.requests[0].startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % origin.port)
    assert b"\r\nVia: 1.0 " in origin.requests[0]


async def test_absolute_form_replaces_host(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    await sidecar.ask(b"GET http://other:81/a?b HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
    assert origin.requests[0].startswith(b"GET /a?b HTTP/1.1\r\nHost: other:81\r\n")
    assert b"Host: app" not in origin.requests[0]


@pytest.mark.parametrize("options", [b"close", b"close, Via"])
async def test_a_loop_is_found_by_via(lab: Any, options: bytes) -> None:
    """The app sends everything back to its own sidecar. Connection cannot hide where it has been."""
    sidecar, origin = await lab.pair()
    await sidecar.ask(GET + b"Connection: close\r\n\r\n")
    answer = await sidecar.ask(origin.requests[0].replace(b"\r\n\r\n", b"\r\nConnection: " + options + b"\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 508 Loop Detected")
    assert b"error=proxy_loop_detected" in answer


async def test_a_response_keeps_its_fields(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(
        b"HTTP/1.1 299 Fine thanks\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n"
        b"Connection: keep-alive, x-hop\r\nProxy-Connection: close\r\nDate: then\r\nContent-Length: 0\r\n\r\n"
    )
    wire = await sidecar.connect()
    await wire.send(GET + b"\r\n")
    assert await wire.head() == (
        b"HTTP/1.1 299 Fine thanks\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nDate: then\r\nContent-Length: 0\r\n\r\n"
    )


async def test_a_date_is_added_where_none_came(lab: Any) -> None:
    sidecar, origin = await lab.pair()
    origin.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    wire = await sidecar.connect()
    await wire.send(GET + b"\r\n")
    assert b"\r\nDate: " in await wire.head()


# --- outbound


async def test_absolute_form_goes_to_its_authority(lab: Any) -> None:
    """Way 1, HTTP_PROXY; and the response says whose proxy it was."""
    origin = await lab.origin()
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other"))))
    answer = await sidecar.ask(
        b"GET http://127.0.0.1:%d/x HTTP/1.1\r\nHost: nowhere\r\nConnection: close\r\n\r\n" % origin.port, "outbound"
    )
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"\r\nVia: 1.1 outbound." in answer
    assert origin.requests[0].startswith(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % origin.port)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_request_to_the_sidecar_itself_is_a_loop(lab: Any, host: str) -> None:
    sidecar = await lab.sidecar(lab.outbound(Router(lab.upstream(None, "other"))))
    port = sidecar.port("outbound")
    answer = await sidecar.ask(
        f"GET http://{host}:{port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), "outbound"
    )
    assert answer.startswith(b"HTTP/1.1 508 ")


async def test_access_record(lab: Any) -> None:
    sidecar, _ = await lab.pair()
    await sidecar.ask(
        b"POST /a?secret=1 HTTP/1.1\r\nHost: app\r\nContent-Length: 3\r\nConnection: close\r\n"
        b"X-Mirascope-Session-Id: s\r\n"
        b"b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1\r\n\r\nabc"
    )
    (record,) = sidecar.records
    assert record[:8] == ("inbound", "app", "127.0.0.1", "POST", "/a", 200, 3, 2)
    assert record.duration_s > 0
    assert (record.trace_id, record.session, record.error) == ("463ac35c9f6413ad48485a3953bb6124", "s", "")


async def test_counters(lab: Any) -> None:
    sidecar, _ = await lab.pair()
    await sidecar.ask(GET + b"Connection: close\r\ntraceparent: junk\r\n\r\n")
    await sidecar.ask(b"bogus\r\n\r\n")
    exchange = sidecar.metrics.exchange("inbound", "app")
    assert exchange.requests == [0, 0, 1, 0, 0, 0]
    assert exchange.durations.count == 1
    assert exchange.bytes_out == 2
    assert sum(exchange.translation.malformed.values()) == 1
    assert sidecar.metrics.listener("inbound").protocol_errors == {"bad-request": 1}
    assert sidecar.metrics.listener("inbound").connections_total == 2


async def test_connection_refused(lab: Any) -> None:
    gone = await lab.origin()
    target = UpstreamTarget("http", Address("127.0.0.1", 1))
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(gone, target=target)))
    answer = await sidecar.ask(GET + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway")
    assert b"error=connection_refused" in answer
    assert sidecar.metrics.upstream("app").connect_failures == {"connection-refused": 1}


async def test_an_app_that_is_the_listener_itself(lab: Any) -> None:
    """Told by its address, where Via is off and cannot tell."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        bind = Address("127.0.0.1", free.getsockname()[1])
    target = UpstreamTarget("http", bind)
    sidecar = await lab.sidecar(lab.inbound(lab.upstream(None, target=target), bind=bind, via=False))
    answer = await sidecar.ask(GET + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 508 ")
