"""What can go wrong in an exchange, whose fault it is, and how each protocol says so: the one table.

May know HTTP status codes, the error types of RFC 9209, the error codes of HTTP/2 and the statuses of gRPC. Must not
know sockets or messages.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

# RFC 9113, 7: codes to reset a stream with, if a response can no longer tell the fault.
_PROTOCOL_ERROR: Final = 0x1
_INTERNAL_ERROR: Final = 0x2
_REFUSED_STREAM: Final = 0x7  # nobody has seen the request, so its sender may retry it, whatever its method
_CANCEL: Final = 0x8
_ENHANCE_YOUR_CALM: Final = 0xB  # more of something than we accept
_HTTP_1_1_REQUIRED: Final = 0xD

# gRPC, "Status codes and their use in gRPC". A client that retries does so on UNAVAILABLE.
_CANCELLED: Final = 1
_DEADLINE_EXCEEDED: Final = 4
_PERMISSION_DENIED: Final = 7
_RESOURCE_EXHAUSTED: Final = 8
_UNIMPLEMENTED: Final = 12
_INTERNAL: Final = 13
_UNAVAILABLE: Final = 14

# RFC 9110, 15: the reason phrases of the statuses in the table.
_TITLES: Final = {
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    499: "Client Closed Request",  # nginx's
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    508: "Loop Detected",
}


class Fault(Enum):
    """A class of error. Its `label` is fixed text: a metric label, and the `type` of a problem document.

    `proxy_error` is the error type of RFC 9209, section 2.3. A retry makes sense if `retry_after_s` is not 0.
    """

    # label, status, RFC 9209 error type, Retry-After in seconds, HTTP/2 error code, grpc-status The client's fault.
    BAD_REQUEST = ("bad-request", 400, "http_request_error", 0, _PROTOCOL_ERROR, _INTERNAL)
    BAD_FRAMING = ("bad-framing", 400, "http_request_error", 0, _PROTOCOL_ERROR, _INTERNAL)
    BAD_TARGET = ("bad-target", 400, "http_request_error", 0, _PROTOCOL_ERROR, _INTERNAL)
    BAD_HOST = ("bad-host", 400, "http_request_error", 0, _PROTOCOL_ERROR, _INTERNAL)
    INCOMPLETE_REQUEST = ("incomplete-request", 400, "http_request_error", 0, _PROTOCOL_ERROR, _INTERNAL)
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "http_request_denied", 0, _CANCEL, _UNIMPLEMENTED)
    DESTINATION_PROHIBITED = (
        "destination-prohibited", 403, "destination_ip_prohibited", 0, _CANCEL, _PERMISSION_DENIED
    )  # fmt: skip
    REQUEST_TIMEOUT = ("request-timeout", 408, "http_request_error", 0, _CANCEL, _DEADLINE_EXCEEDED)
    BODY_TOO_LARGE = ("body-too-large", 413, "http_request_error", 0, _ENHANCE_YOUR_CALM, _RESOURCE_EXHAUSTED)
    TARGET_TOO_LONG = ("target-too-long", 414, "http_request_error", 0, _ENHANCE_YOUR_CALM, _RESOURCE_EXHAUSTED)
    EXPECTATION_FAILED = ("expectation-failed", 417, "http_request_error", 0, _CANCEL, _UNIMPLEMENTED)
    HEADERS_TOO_LARGE = ("headers-too-large", 431, "http_request_error", 0, _ENHANCE_YOUR_CALM, _RESOURCE_EXHAUSTED)
    VERSION_NOT_SUPPORTED = ("version-not-supported", 505, "http_request_error", 0, _HTTP_1_1_REQUIRED, _UNIMPLEMENTED)
    NOT_IMPLEMENTED = ("not-implemented", 501, "http_request_denied", 0, _CANCEL, _UNIMPLEMENTED)
    CLIENT_LIMIT = ("client-limit", 429, "http_request_denied", 1, _REFUSED_STREAM, _RESOURCE_EXHAUSTED)
    # Its answer has begun, so the status stands in no response.
    CLIENT_TOO_SLOW = ("client-too-slow", 408, "connection_write_timeout", 0, _CANCEL, _DEADLINE_EXCEEDED)
    # The upstream's fault. Up to the handshake the request has not left us.
    DNS_ERROR = ("dns-error", 502, "dns_error", 0, _REFUSED_STREAM, _UNAVAILABLE)
    CONNECTION_REFUSED = ("connection-refused", 502, "connection_refused", 0, _REFUSED_STREAM, _UNAVAILABLE)
    UNREACHABLE = ("unreachable", 502, "destination_ip_unroutable", 0, _REFUSED_STREAM, _UNAVAILABLE)
    TLS_CERTIFICATE = ("tls-certificate", 502, "tls_certificate_error", 0, _REFUSED_STREAM, _UNAVAILABLE)
    TLS_ALERT = ("tls-alert", 502, "tls_alert_received", 0, _REFUSED_STREAM, _UNAVAILABLE)
    TLS_ERROR = ("tls-error", 502, "tls_protocol_error", 0, _REFUSED_STREAM, _UNAVAILABLE)
    CONNECT_TIMEOUT = ("connect-timeout", 504, "connection_timeout", 0, _REFUSED_STREAM, _UNAVAILABLE)
    CONNECTION_LOST = ("connection-lost", 502, "connection_terminated", 0, _INTERNAL_ERROR, _UNAVAILABLE)
    RESPONSE_INCOMPLETE = ("response-incomplete", 502, "http_response_incomplete", 0, _INTERNAL_ERROR, _UNAVAILABLE)
    BAD_RESPONSE = ("bad-response", 502, "http_protocol_error", 0, _INTERNAL_ERROR, _INTERNAL)
    RESPONSE_HEAD_TOO_LARGE = (
        "response-head-too-large", 502, "http_response_header_section_size", 0, _INTERNAL_ERROR, _INTERNAL
    )  # fmt: skip
    BAD_UPGRADE = ("bad-upgrade", 502, "http_upgrade_failed", 0, _INTERNAL_ERROR, _INTERNAL)
    RESPONSE_TIMEOUT = ("response-timeout", 504, "http_response_timeout", 0, _CANCEL, _DEADLINE_EXCEEDED)
    BODY_TIMEOUT = ("response-body-timeout", 504, "http_response_timeout", 0, _CANCEL, _DEADLINE_EXCEEDED)
    # Its own code goes on, where the client speaks HTTP/2.
    STREAM_RESET = ("stream-reset", 502, "http_response_incomplete", 0, _INTERNAL_ERROR, _UNAVAILABLE)
    # The request has not left us, but another attempt will not be answered either.
    NO_HTTP2 = ("no-http2", 502, "http_protocol_error", 0, _HTTP_1_1_REQUIRED, _UNAVAILABLE)
    CALL_TIMEOUT = ("call-timeout", 504, "http_response_timeout", 0, _CANCEL, _DEADLINE_EXCEEDED)  # by grpc-timeout
    # Ours, or our settings'.
    QUEUE_FULL = ("queue-full", 503, "connection_limit_reached", 1, _REFUSED_STREAM, _RESOURCE_EXHAUSTED)
    QUEUE_TIMEOUT = ("queue-timeout", 503, "connection_limit_reached", 1, _REFUSED_STREAM, _RESOURCE_EXHAUSTED)
    STOPPED = ("stopped", 503, "connection_terminated", 1, _CANCEL, _UNAVAILABLE)  # for counters and logs only
    LOOP = ("loop", 508, "proxy_loop_detected", 0, _CANCEL, _INTERNAL)
    # The client left, so nobody gets an answer. 499 is for counters and logs only (nginx's convention).
    CLIENT_GONE = ("client-gone", 499, "connection_terminated", 0, _CANCEL, _CANCELLED)

    def __init__(
        self, label: str, status: int, proxy_error: str, retry_after_s: int, http2_code: int, grpc_status: int
    ) -> None:
        self.label = label
        self.status = status
        self.title = _TITLES[status]
        self.proxy_error = proxy_error
        self.retry_after_s = retry_after_s
        self.http2_code = http2_code
        self.grpc_status = grpc_status


class Refusal(Exception):
    """A message that is not forwarded: its fault, and one sentence for the person who fixes it.

    `detail` quotes at most a name or a short value of the message.
    """

    def __init__(self, fault: Fault, detail: str, http2_code: int = -1) -> None:
        """`http2_code`: by which a peer of HTTP/2 has said it; -1: it has not."""
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
        self.http2_code = http2_code if http2_code >= 0 else fault.http2_code
