"""The sidecar's own responses."""

from __future__ import annotations

import json

import pytest

from proxy.http1.message.problem import options_response, problem_response
from proxy.semantics.faults import Fault

# RFC 9209, 2.3: the error types that we use must be registered ones.
REGISTERED = {
    "dns_error",
    "connection_refused",
    "connection_terminated",
    "connection_timeout",
    "connection_limit_reached",
    "destination_ip_unroutable",
    "tls_protocol_error",
    "tls_certificate_error",
    "http_request_error",
    "http_request_denied",
    "http_response_incomplete",
    "http_response_header_section_size",
    "http_response_timeout",
    "http_upgrade_failed",
    "http_protocol_error",
    "proxy_loop_detected",
}


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_a_whole_answer(fault: Fault) -> None:
    head, body = problem_response(fault, 'the "reason" é\\', date=b"now").split(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == f"HTTP/1.1 {fault.status} {fault.title}".encode()
    assert b"Content-Length: %d" % len(body) in lines
    assert b"Content-Type: application/problem+json" in lines
    assert b"Date: now" in lines
    assert b"Connection: close" in lines
    status = b'Proxy-Status: ops-sidecar; error=%b; details="the \\"reason\\" ?\\\\"' % fault.proxy_error.encode()
    assert status in lines
    assert json.loads(body) == {
        "type": f"urn:ops-sidecar:problem:{fault.label}",
        "title": fault.title,
        "status": fault.status,
        "detail": 'the "reason" é\\',
        "proxy_error": fault.proxy_error,
    }
    assert fault.proxy_error in REGISTERED
    assert any(line.startswith(b"Retry-After: ") for line in lines) is (fault.status == 503)
    assert any(line.startswith(b"Allow: ") for line in lines) is (fault.status == 405)


def test_labels_are_unique() -> None:
    assert len({fault.label for fault in Fault}) == len(Fault)


def test_to_head_and_on_a_connection_that_goes_on() -> None:
    head = problem_response(Fault.DNS_ERROR, "x", date=b"now", head_only=True, close=False)
    assert head.endswith(b"\r\n\r\n")
    assert b"Connection" not in head
    assert b"Content-Length: " in head


def test_options() -> None:
    assert options_response(b"now").startswith(b"HTTP/1.1 200 OK\r\nDate: now\r\nAllow: ")
