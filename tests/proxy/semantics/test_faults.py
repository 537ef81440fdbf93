"""The table of faults: what each is answered with can be answered, counted and read by other proxies."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

import pytest
from lab.texts import check_text

from proxy.semantics.faults import Fault, Refusal

# RFC 9209, 2.3: the error types that there are.
PROXY_ERRORS = frozenset((
    "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
    "destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout",
    "connection_read_timeout", "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
    "tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
    "http_response_incomplete", "http_response_header_section_size", "http_response_header_size",
    "http_response_body_size", "http_response_trailer_section_size", "http_response_trailer_size",
    "http_response_transfer_coding", "http_response_content_coding", "http_response_timeout", "http_upgrade_failed",
    "http_protocol_error", "proxy_internal_response", "proxy_internal_error", "proxy_configuration_error",
    "proxy_loop_detected",
))  # fmt: skip


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.label)
def test_a_fault_can_be_told(fault: Fault) -> None:
    assert re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", fault.label)
    assert fault.proxy_error in PROXY_ERRORS
    assert 400 <= fault.status < 600
    assert (fault.retry_after_s > 0) == (fault.status in (429, 503))
    assert fault.retry_after_s >= 0


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.label)
def test_http2_and_grpc_can_tell_it(fault: Fault) -> None:
    """RFC 9113, 7 has 14 codes, NO_ERROR among them; gRPC has 17 statuses, OK among them."""
    assert 0 < fault.http2_code <= 0xD
    assert 0 < fault.grpc_status <= 16


def test_a_stream_that_is_refused_was_seen_by_nobody() -> None:
    """RFC 9113, 8.7: it may be sent again, whatever its method. So no byte of the request may have left us."""
    refused = {fault for fault in Fault if fault.http2_code == 0x7}
    assert {fault.label for fault in refused} == {
        "dns-error", "connection-refused", "unreachable", "tls-certificate", "tls-alert", "tls-error",
        "connect-timeout",
        "queue-full", "queue-timeout", "client-limit",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "grpc_status"),
    [
        (Fault.RESPONSE_TIMEOUT, 4),  # DEADLINE_EXCEEDED
        (Fault.QUEUE_FULL, 8),  # RESOURCE_EXHAUSTED
        (Fault.CONNECTION_REFUSED, 14),  # UNAVAILABLE: clients retry
        (Fault.CLIENT_GONE, 1),  # CANCELLED
    ],
)
def test_what_grpc_clients_go_by(fault: Fault, grpc_status: int) -> None:
    assert fault.grpc_status == grpc_status


def test_a_label_names_one_fault() -> None:
    assert len({fault.label for fault in Fault}) == len(Fault)


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.label)
def test_a_title_is_that_of_its_status(fault: Fault) -> None:
    """RFC 9457, 4.2.1. Python 3.11 has older titles for two of them, and 499 is nginx's."""
    renamed = {413: "Content Too Large", 414: "URI Too Long", 499: "Client Closed Request"}
    assert fault.title == (renamed.get(fault.status) or HTTPStatus(fault.status).phrase)


def test_a_refusal_says_what_is_wrong() -> None:
    refusal = Refusal(Fault.BAD_HOST, "empty Host")
    assert (refusal.fault, refusal.detail, str(refusal)) == (Fault.BAD_HOST, "empty Host", "empty Host")


def test_each_fault_is_told_as_the_table_has_it() -> None:
    """`faults.txt`: label, status, title, Proxy-Status, Retry-After, codes of HTTP/2 and gRPC."""
    rows = [
        f"{fault.label}: {fault.status} {fault.title}, {fault.proxy_error}, retry after {fault.retry_after_s}, "
        f"http2 {fault.http2_code}, grpc {fault.grpc_status}\n"
        for fault in Fault
    ]
    check_text("".join(rows), Path(__file__).parent / "faults.txt")


def test_a_refusal_has_its_faults_code_unless_a_peer_said_another() -> None:
    assert Refusal(Fault.LOOP, "x").http2_code == Fault.LOOP.http2_code
    assert Refusal(Fault.STREAM_RESET, "x", 0).http2_code == 0
    assert Refusal(Fault.STREAM_RESET, "x", 5).http2_code == 5
    assert str(Refusal(Fault.LOOP, "a loop")) == Refusal(Fault.LOOP, "a loop").detail == "a loop"
