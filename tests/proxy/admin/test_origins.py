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
        *((origin, host, None, True) for origin in ("null", "", "http://[", "http://a@b") for host in ("?", "")),
        (None, "127.0.0.1:9082", "cross-site", True),
        (None, "127.0.0.1:9082", "same-site", True),
        ("http://127.0.0.1:9082", "127.0.0.1:9082", "cross-site", True),
    ],
)
def test_origins(origin: str | None, host: str, fetched: str | None, other: bool) -> None:
    origins, sites = ([one] if one is not None else [] for one in (origin, fetched))
    assert is_of_another_site(origins, sites, host) is other


def test_one_of_several_is_enough() -> None:
    assert is_of_another_site(["http://a", "https://evil.example"], [], "a")
    assert is_of_another_site([], ["same-origin", "cross-site"], "a")
