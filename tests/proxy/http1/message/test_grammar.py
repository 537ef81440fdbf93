"""What is read here and needs no message around it; the patterns are tested by the heads and bodies that they judge."""

from __future__ import annotations

import pytest

from proxy.http1.message.grammar import read_length


@pytest.mark.parametrize(
    ("value", "length"),
    [
        (b"0", 0),
        (b"007", 7),
        (b"9" * 18, 10**18 - 1),
        (b"0" * 18 + b"1", -1),
        (b"", -1),
        (b"+1", -1),
        (b"-1", -1),
        (b"1_0", -1),
        (b"0x1", -1),
        (b"1, 1", -1),
        (b"\xd9\xa1", -1),
    ],
)
def test_content_length(value: bytes, length: int) -> None:
    assert read_length(value) == length
