"""Requests that a web page of another site makes a browser send."""

from __future__ import annotations

import pytest

from proxy.admin.origins import is_of_another_site


@pytest.mark.parametrize(
    ("origin", "host", "fetched", "other"),
    [
        (None, "127.0.0.1:9082", None, False),
        ("http://127.0.0.1:9082", "127.0.0.1:9082", "same-origin", False),
        ("http://LOCALHOST:9082", "localhost:9082", None, False),
        ("http://localhost:80", "localhost", None, False),
        ("https://[::1]:443", "[::1]", None, False),
        (None, "127.0.0.1:9082", "none", False),  # typed by a person
        ("http://localhost:9082", "127.0.0.1:9082", None, True),
        ("http://127.0.0.1:8000", "127.0.0.1:9082", None, True),
        ("https://evil.example", "127.0.0.1:9082", None, True),
        ("null", "127.0.0.1:9082", None, True),
        ("", "127.0.0.1:9082", None, True),
        ("http://[", "127.0.0.1:9082", None, True),
        ("http://a@127.0.0.1:9082", "127.0.0.1:9082", None, True),
        (None, "127.0.0.1:9082", "cross-site", True),
        (None, "127.0.0.1:9082", "same-site", True),
        ("http://127.0.0.1:9082", "127.0.0.1:9082", "cross-site", True),
    ],
)
def test_origins(origin: str | None, host: str, fetched: str | None, other: bool) -> None:
    headers = {"Host": host, **({"Sec-Fetch-Site": fetched} if fetched is not None else {})}
    assert is_of_another_site([origin] if origin is not None else [], headers) is other
