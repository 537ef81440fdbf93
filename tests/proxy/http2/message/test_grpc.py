"""gRPC's words and numbers: what is a call, how long it may take, how it ended."""

from __future__ import annotations

import pytest

from proxy.http2.hpack.field import HeaderField
from proxy.http2.message.grpc import encode_message, is_call, read_status, read_timeout, status_fields
from proxy.semantics.faults import Fault, Refusal


@pytest.mark.parametrize(
    "kind", [b"application/grpc", b"application/grpc+proto", b"application/grpc;x", b"application/grpcx"]
)
def test_a_call(kind: bytes) -> None:
    assert is_call(kind)


@pytest.mark.parametrize(
    "kind", [b"", b"application/grpc-web", b"application/grpc-web+proto", b"application/json", b"xapplication/grpc"]
)
def test_what_is_none(kind: bytes) -> None:
    assert not is_call(kind)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1H", 3600), (b"2M", 120), (b"3S", 3), (b"250m", 0.25), (b"1u", 0.000_001), (b"1n", 0.000_000_001),
        (b"0S", 0), (b"99999999S", 99_999_999), (b"00000001S", 1),
    ],
)  # fmt: skip
def test_a_timeout_has_one_to_eight_digits_and_a_unit(value: bytes, seconds: float) -> None:
    assert read_timeout(value) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "value", [b"", b"1", b"S", b"1s", b"1h", b"123456789S", b"-1S", b"1.5S", b" 1S", b"1 S", b"1SS"]
)
def test_what_is_no_timeout(value: bytes) -> None:
    assert read_timeout(value) == -1


@pytest.mark.parametrize("status", range(17))
def test_each_status_is_read(status: int) -> None:
    for digits in (b"%d" % status, b"%02d" % status):
        assert read_status([HeaderField(b"x", b"1"), HeaderField(b"grpc-status", digits)]) == status


@pytest.mark.parametrize("value", [b"", b"17", b"-1", b"000", b"x", b"1 "])
def test_what_is_no_status(value: bytes) -> None:
    assert read_status([HeaderField(b"grpc-status", value)]) == -1
    assert read_status([HeaderField(b"grpc-status", value), HeaderField(b"grpc-status", b"0")]) == -1


def test_without_a_status() -> None:
    assert read_status([]) == read_status([HeaderField(b"grpc-message", b"0")]) == -1


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("all is well ~!$", b"all is well ~!$"), ("50%", b"50%25"), ("a\tb\n", b"a%09b%0A"), ("ü", b"%C3%BC"),
        ("\x1f \x7f", b"%1F %7F"), ("#&", b"#&"), ("\ud800", b"?"), ("x" * 513, b"x" * 512), ("%" * 513, b"%25" * 512),
    ],
)  # fmt: skip
def test_a_message_is_percent_encoded(text: str, encoded: bytes) -> None:
    assert encode_message(text) == encoded


def test_a_refusal_tells_its_status_and_as_much_as_it_may() -> None:
    refusal = Refusal(Fault.CONNECTION_REFUSED, "nobody at 10.0.0.1")
    assert status_fields(refusal, details=True) == [(b"grpc-status", b"14"), (b"grpc-message", b"nobody at 10.0.0.1")]
    assert status_fields(refusal, details=False) == [(b"grpc-status", b"14"), (b"grpc-message", b"Bad Gateway")]
    silent = Refusal(Fault.CALL_TIMEOUT, "")
    assert status_fields(silent, details=True) == [(b"grpc-status", b"4"), (b"grpc-message", b"Gateway Timeout")]
