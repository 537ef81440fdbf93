"""A URL without a port has that of its scheme, which the allow-list asks for. Nothing is sent: TLS needs no server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpcore
import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter

import ops_lib as ops

URLS = {
    "http://meant.example/": "meant.example:80",
    "https://meant.example/": "meant.example:443",
    "http://meant.example:8080/": "meant.example:8080",
    "https://meant.example:8443/": "meant.example:8443",
}


def by_requests(monkeypatch: pytest.MonkeyPatch, sent: list[set[str]]) -> Callable[[str], object]:
    def send(adapter: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        sent.append({name.lower() for name in request.headers})
        answer = requests.Response()
        answer.status_code = 200
        answer.request = request
        return answer

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return requests.get


def by_httpx(monkeypatch: pytest.MonkeyPatch, sent: list[set[str]]) -> Callable[[str], object]:
    def handle_request(pool: httpcore.ConnectionPool, request: httpcore.Request) -> httpcore.Response:
        sent.append({name.decode().lower() for name, _ in request.headers})
        return httpcore.Response(200, content=iter([b""]))

    monkeypatch.setattr(httpcore.ConnectionPool, "handle_request", handle_request)
    return httpx.get


@pytest.mark.parametrize("pattern", URLS.values())
@pytest.mark.parametrize(("name", "client"), [("requests", by_requests), ("httpx", by_httpx)])
def test_the_port_of_the_scheme(
    name: str, client: Callable[..., Callable[[str], object]], pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[set[str]] = []
    get = client(monkeypatch, sent)
    ops.instrument(name, allow_hosts=[pattern])
    try:
        with ops.session(id="s-1"):
            for url in URLS:
                get(url)
    finally:
        ops.uninstrument(name)
    assert ["x-mirascope-session-id" in names for names in sent] == [wanted == pattern for wanted in URLS.values()]
