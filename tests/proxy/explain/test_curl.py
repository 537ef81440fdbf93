"""The headers of pasted curl commands."""

from __future__ import annotations

import pytest

from proxy.explain.curl import is_curl, read_curl
from proxy.explain.headers import HeaderInputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("curl http://a -H 'b3: 0'", [("b3", "0")]),
        ('curl "http://a" --header "b3: 0" --header=\'X-B3-Flags: 1\'', [("b3", "0"), ("X-B3-Flags", "1")]),
        ("$ curl http://a \\\n  -H 'b3: 0' \\\n  -H'c: d'", [("b3", "0"), ("c", "d")]),
        ("curl http://a -A okhttp/4 -b 'a=b'", [("User-Agent", "okhttp/4"), ("Cookie", "a=b")]),
        ("curl http://a -H 'Accept:' -H 'X-Empty;'", [("X-Empty", "")]),
        ("curl http://a -d '-H not one'", []),
    ],
)
def test_read(text: str, expected: list[tuple[str, str]]) -> None:
    assert is_curl(text)
    assert read_curl(text) == expected


def test_what_is_not_a_command() -> None:
    assert not is_curl("b3: 0")
    with pytest.raises(HeaderInputError, match="quote"):
        read_curl("curl 'http://a")
    with pytest.raises(HeaderInputError, match="not a header"):
        read_curl("curl http://a -H 'nothing here'")
