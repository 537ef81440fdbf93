"""Queries on spans: what is a secret is not shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.telemetry.otlp.query import LIMIT_BYTES, redact


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (b"", b""),
        (b"id=7&page=2", b"id=7&page=2"),
        (b"token=abc&id=7", b"token=REDACTED&id=7"),
        (b"id=7&api%5Fkey=abc", b"id=7&api%5Fkey=REDACTED"),
        (b"X-Amz-Signature=abc&AWSAccessKeyId=x", b"X-Amz-Signature=REDACTED&AWSAccessKeyId=REDACTED"),
        (b"sv=2024&sig=a%2Bb&X-Goog-Signature=c", b"sv=2024&sig=REDACTED&X-Goog-Signature=REDACTED"),
        (b"q=Bearer%20abcdefghijklmnopqrstuvwxyz", b"q=REDACTED"),
        (b"next=https://a:b@example.com/", b"next=REDACTED"),
        (b"password=a;b=c", b"password=REDACTED;b=c"),
        (b"flag&token", b"flag&token"),
    ],
)
def test_secrets_are_redacted(query: bytes, shown: bytes) -> None:
    assert redact(query) == shown


@given(st.binary(max_size=4000))
def test_any_query_is_shown_within_the_limit(query: bytes) -> None:
    assert len(redact(query)) <= LIMIT_BYTES + 10 * query.count(b"=")


@pytest.mark.parametrize(
    "name", [b"sig", b"SIG", b"signature", b"AWSAccessKeyId", b"X-Goog-Signature", b"x-amz-signature", b"password"]
)
def test_each_name_of_a_signature(name: bytes) -> None:
    assert redact(b"a=1&" + name + b"=x;b=2") == b"a=1&" + name + b"=REDACTED;b=2"


def test_a_query_of_2_kib_is_shown() -> None:
    assert redact(b"a=" + b"b" * 2047) == b"a=" + b"b" * 2046
    assert redact(b"a" * 300 + b"=1") == b"a" * 300 + b"=1"
