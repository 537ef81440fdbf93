"""Answers of the admin listener, byte for byte: never kept, and never taken for something else by a browser."""

from __future__ import annotations

from proxy.admin.answers import as_json, plain, refused, text
from proxy.admin.exchange import Response

ALWAYS = (("Server", "ops-sidecar"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
PLAIN = ("Content-Type", "text/plain; charset=utf-8")
JSON = ("Content-Type", "application/json")


def test_a_text() -> None:
    assert text("é") == Response(200, (*ALWAYS, PLAIN), "é".encode())
    assert text("a", 503, kind="b/c", more=(("D", "e"),)) == Response(
        503, (*ALWAYS, ("Content-Type", "b/c"), ("D", "e")), b"a"
    )


def test_a_status_alone_says_what_it_means() -> None:
    assert plain(404) == Response(404, (*ALWAYS, PLAIN), b"404 Not Found\n")
    assert plain(405, ("Allow", "GET")) == Response(
        405, (*ALWAYS, PLAIN, ("Allow", "GET")), b"405 Method Not Allowed\n"
    )


def test_json_can_be_read_by_people_too() -> None:
    assert as_json({"a": [1]}) == Response(200, (*ALWAYS, JSON), b'{\n  "a": [\n    1\n  ]\n}\n')
    assert as_json([], 202) == Response(202, (*ALWAYS, JSON), b"[]\n")


def test_an_error_is_json() -> None:
    assert refused("no") == Response(400, (*ALWAYS, JSON), b'{\n  "error": "no"\n}\n')
    assert refused("no", 409).status == 409
