"""Whatever is asked, in the URL or in a body: an answer or a problem in words, and never a failure of the console."""

from __future__ import annotations

import random
from urllib.parse import quote

import pytest
from lab.consoles import Console, hop, sent, span

TERMS = (
    "",
    "a",
    "service:",
    "-service:shop",
    "status:5xx",
    "status:cut",
    "dur:>1ms",
    "dur:<=1e9s",
    "is:gap",
    "in:none",
    "format:b3,jaeger",
    'session:"a b"',
    "trace:4bf",
    '"',
    "\\",
    "%",
    "_",
    "\0",
    "\ud7ff",
    "é",
    "'; DROP TABLE traces; --",
    "x" * 2000,
    "-",
    "::",
    "host:a,b,c",
    "to:y",
    "(",
    "*",
)
LIMITS = ("", "0", "1", "501", "-1", "1e3", "٣", "9" * 400)
CURSORS = ("", "1-1", "-", "1-", "a-b", "٣-٣", f"{1 << 62}-5", f"{1 << 63}-1", f"1-{1 << 64}", "9" * 30 + "-1")
LISTS = ("/traces", "/requests", "/sessions")
BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"text":1}',
    b'{"text":"\\ud800"}',
    b'{"text":"curl -H \'b3: 0\' http://x"}',
    b'{"text":"traceparent"}',
    b'{"resourceSpans":[{}]}',
    b'{"resourceSpans":7}',
    b"\xff\xfe",
    b"\x0a\x05",
)


@pytest.fixture
async def filled(console: Console) -> Console:
    await console.send(sent(hop(1), service="shop", scope="ops-sidecar"))
    await console.send(sent(span(2, trace=2, parent=7, attributes={"session.id": "s/ 1"})))
    await console.until("/traces", lambda said: len(said["items"]) == 2)
    return console


async def check(console: Console, method: str, path: str, **more: object) -> None:
    async with console.client.request(method, f"{console.url}/api/v1{path}", **more) as response:  # type: ignore[arg-type]
        assert response.status < 500, (path, await response.text())
        if response.status != 204:
            assert "json" in response.content_type, path
            await response.json()


@pytest.mark.parametrize("path", LISTS)
async def test_lists(filled: Console, path: str) -> None:
    chance = random.Random(7)
    asked = [(term, "", "") for term in TERMS]
    asked += [("", limit, "") for limit in LIMITS] + [("", "", cursor) for cursor in CURSORS]
    for _ in range(150):
        q = " ".join(chance.choices(TERMS, k=4))
        asked.append((q, chance.choice(LIMITS), chance.choice(CURSORS)))
    for q, limit, before in asked:
        query = f"q={quote(q)}&limit={quote(limit)}&before={quote(before)}"
        await check(filled, "GET", f"{path}?{query}")


@pytest.mark.parametrize("path", LISTS)
async def test_names(filled: Console, path: str) -> None:
    for name in TERMS[1:]:
        await check(filled, "GET", f"{path}/{quote(name, safe='')}")


@pytest.mark.parametrize("path", ["/explain", "/traces", "/login"])
@pytest.mark.parametrize("kind", ["application/json", "application/x-protobuf", "text/plain", "a/b"])
async def test_bodies(filled: Console, path: str, kind: str) -> None:
    for body in BODIES:
        await check(filled, "POST", path, data=body, headers={"Content-Type": kind})


async def test_a_bug_of_ours_is_answered_in_words(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the headers that every answer has."""
    monkeypatch.setattr("proxy.console.server.api.document", lambda: {}["nothing"])
    async with console.client.get(f"{console.url}/api/v1/openapi.json") as response:
        assert response.status == 500
        assert (await response.json())["detail"] == "The console failed at this. Its log says more."
        assert "Content-Security-Policy" in response.headers
