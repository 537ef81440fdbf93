"""The numbers are those of RFC 9113, 11."""

from __future__ import annotations

import pytest

from proxy.http2.engine import codes

ERRORS = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
    "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
)  # fmt: skip
FRAMES = (
    "DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE",
    "CONTINUATION",
)  # fmt: skip
SETTINGS = {
    "HEADER_TABLE_SIZE": 1,
    "ENABLE_PUSH": 2,
    "MAX_CONCURRENT_STREAMS": 3,
    "INITIAL_WINDOW_SIZE": 4,
    "MAX_FRAME_SIZE": 5,
    "MAX_HEADER_LIST_SIZE": 6,
    "ENABLE_CONNECT_PROTOCOL": 8,
}
FLAGS = {"END_STREAM": 1, "ACK": 1, "END_HEADERS": 4, "PADDED": 8, "PRIORITY_FLAG": 32}
LIMITS = {"LEAST_MAX_FRAME": 16_384, "MOST_MAX_FRAME": 16_777_215, "LARGEST_WINDOW": 2_147_483_647, "HEAD_BYTES": 9}


NUMBERED = [{name: number for number, name in enumerate(names)} for names in (ERRORS, FRAMES)]


@pytest.mark.parametrize("named", [*NUMBERED, SETTINGS, FLAGS, LIMITS])
def test_numbers(named: dict[str, int]) -> None:
    assert {name: getattr(codes, name) for name in named} == named


def test_errors_have_names() -> None:
    assert [codes.name_of(number) for number in range(15)] == [*ERRORS, "0xe"]
