"""What can go wrong in an exchange, whose fault it is, and the status it is answered with: the one table.

May know HTTP status codes and the error types of RFC 9209. Must not know sockets or messages.
"""

from __future__ import annotations

from enum import Enum


class Fault(Enum):
    """A class of error. Its `label` is fixed text, fit for a metric label and for the `type` of a problem document.

    `proxy_error` is the error type of RFC 9209, section 2.3. A retry makes sense where `retry_after_s` is not 0.
    """

    # label, status, title, RFC 9209 error type, Retry-After in seconds
    # The client's fault.
    BAD_REQUEST = ("bad-request", 400, "Bad Request", "http_request_error", 0)
    BAD_FRAMING = ("bad-framing", 400, "Bad Request", "http_request_error", 0)
    BAD_TARGET = ("bad-target", 400, "Bad Request", "http_request_error", 0)
    BAD_HOST = ("bad-host", 400, "Bad Request", "http_request_error", 0)
    INCOMPLETE_REQUEST = ("incomplete-request", 400, "Bad Request", "http_request_error", 0)
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "Method Not Allowed", "http_request_denied", 0)
    REQUEST_TIMEOUT = ("request-timeout", 408, "Request Timeout", "http_request_error", 0)
    BODY_TOO_LARGE = ("body-too-large", 413, "Content Too Large", "http_request_error", 0)
    TARGET_TOO_LONG = ("target-too-long", 414, "URI Too Long", "http_request_error", 0)
    EXPECTATION_FAILED = ("expectation-failed", 417, "Expectation Failed", "http_request_error", 0)
    HEADERS_TOO_LARGE = ("headers-too-large", 431, "Request Header Fields Too Large", "http_request_error", 0)
    VERSION_NOT_SUPPORTED = ("version-not-supported", 505, "HTTP Version Not Supported", "http_request_error", 0)
    # The upstream's fault.
    DNS_ERROR = ("dns-error", 502, "Bad Gateway", "dns_error", 0)
    CONNECTION_REFUSED = ("connection-refused", 502, "Bad Gateway", "connection_refused", 0)
    UNREACHABLE = ("unreachable", 502, "Bad Gateway", "destination_ip_unroutable", 0)
    TLS_CERTIFICATE = ("tls-certificate", 502, "Bad Gateway", "tls_certificate_error", 0)
    TLS_ERROR = ("tls-error", 502, "Bad Gateway", "tls_protocol_error", 0)
    CONNECTION_LOST = ("connection-lost", 502, "Bad Gateway", "connection_terminated", 0)
    RESPONSE_INCOMPLETE = ("response-incomplete", 502, "Bad Gateway", "http_response_incomplete", 0)
    BAD_RESPONSE = ("bad-response", 502, "Bad Gateway", "http_protocol_error", 0)
    RESPONSE_HEAD_TOO_LARGE = (
        "response-head-too-large",
        502,
        "Bad Gateway",
        "http_response_header_section_size",
        0,
    )
    BAD_UPGRADE = ("bad-upgrade", 502, "Bad Gateway", "http_upgrade_failed", 0)
    CONNECT_TIMEOUT = ("connect-timeout", 504, "Gateway Timeout", "connection_timeout", 0)
    RESPONSE_TIMEOUT = ("response-timeout", 504, "Gateway Timeout", "http_response_timeout", 0)
    BODY_TIMEOUT = ("response-body-timeout", 504, "Gateway Timeout", "http_response_timeout", 0)
    # Ours, or our settings'.
    QUEUE_FULL = ("queue-full", 503, "Service Unavailable", "connection_limit_reached", 1)
    QUEUE_TIMEOUT = ("queue-timeout", 503, "Service Unavailable", "connection_limit_reached", 1)
    STOPPED = ("stopped", 503, "Service Unavailable", "connection_terminated", 1)  # for counters and logs only
    LOOP = ("loop", 508, "Loop Detected", "proxy_loop_detected", 0)
    # The client went away: nobody is left to be answered. 499 stands in counters and logs only (nginx's convention).
    CLIENT_GONE = ("client-gone", 499, "Client Closed Request", "connection_terminated", 0)

    def __init__(self, label: str, status: int, title: str, proxy_error: str, retry_after_s: int) -> None:
        self.label = label
        self.status = status
        self.title = title
        self.proxy_error = proxy_error
        self.retry_after_s = retry_after_s


class Refusal(Exception):
    """A message that is not forwarded: which fault, and one sentence for who has to mend it.

    `detail` never repeats more of a message than a name or a short value.
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
