"""What the access log is told of a request, beyond what passes through whole exchanges in test_tracing."""

from __future__ import annotations

from proxy.http1.message.request import Request
from proxy.listener.records.exchange_record import refused_record
from proxy.semantics.faults import Fault, Refusal

REFUSAL = Refusal(Fault.BAD_HOST, "empty Host")


def test_a_refused_request_is_told_without_its_query() -> None:
    request = Request(b"GET", b"/a?token=hunter2", 1, [])
    record = refused_record("inbound", b"10.0.0.1", request, 400, REFUSAL)
    assert (record.method, record.path, record.client) == ("GET", "/a", "10.0.0.1")
    assert (record.status, record.error, record.detail) == (400, "bad-host", "empty Host")
    assert (record.bytes_in, record.bytes_out, record.duration_s) == (0, 0, 0.0)
    assert (record.trace_id, record.session, record.conflict, record.span_conflict) == ("", "", "", "")


def test_of_what_could_not_be_read_only_the_fault_is_told() -> None:
    record = refused_record("inbound", b"", None, 400, REFUSAL)
    assert (record.method, record.path, record.client, record.upstream) == ("", "", "", "")


def test_a_tunnel_has_no_fault() -> None:
    record = refused_record("outbound", b"", Request(b"CONNECT", b"a:443", 1, []), 200, None)
    assert (record.method, record.path, record.status, record.error, record.detail) == ("CONNECT", "a:443", 200, "", "")
