"""/api/v1 at its bounds: how many questions wait, how large an upload or a login may be, and what a full store says."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from lab.consoles import Console, Start, sent, span

from proxy.console.server import api as module
from proxy.console.store.writer import Writer

JSON = {"Content-Type": "application/json"}
TRACE = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": f"{1:032x}", "spanId": f"{1:016x}", "name": "a"}]}]}]}


async def post(console: Console, path: str, data: Any, kind: str = "application/json") -> tuple[int, Any]:
    headers = {"Content-Type": kind}
    async with console.client.post(f"{console.url}/api/v1{path}", data=data, headers=headers) as response:
        return response.status, json.loads(await response.read() or b"null")


async def get(console: Console, path: str) -> tuple[int, Any]:
    async with console.client.get(f"{console.url}/api/v1{path}") as response:
        return response.status, await response.json()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Semaphore]]:
    """Who asks /self waits until the event; the semaphore counts those that began to wait."""
    event, begun = threading.Event(), threading.Semaphore(0)

    def myself(*_: object) -> dict[str, Any]:
        begun.release()
        assert event.wait(10)
        return {}

    monkeypatch.setattr(module, "myself", myself)
    yield event, begun
    event.set()


async def test_questions_that_wait_are_bounded(
    held: tuple[threading.Event, threading.Semaphore], start_console: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 2)
    event, begun = held
    console = await start_console()
    asked = [asyncio.create_task(get(console, "/self")) for _ in range(2)]
    for _ in asked:
        assert await asyncio.to_thread(begun.acquire, timeout=10)
    status, said = await get(console, "/doctor")
    assert (status, said["detail"]) == (503, "Too many questions at once. Ask again.")
    event.set()
    assert await asyncio.gather(*asked) == [(200, {})] * 2
    for _ in range(3):
        assert (await get(console, "/doctor"))[0] == 200
    assert (await get(console, "/health"))[1]["console"]["refused"]["questions"] == 1


def test_the_bounds() -> None:
    assert (module._THREADS, module._MOST_WAITING, module._WRITTEN_S, module._MOST_LOGIN_BYTES) == (2, 32, 10.0, 4096)


async def test_a_file_of_traces_has_32_mib(console: Console) -> None:
    most = 32 * 1024 * 1024
    status, said = await post(console, "/traces", io.BytesIO(b" " * (most + 1)))
    assert (status, said["detail"]) == (413, "A file of traces may have 33,554,432 bytes.")
    status, said = await post(console, "/traces", io.BytesIO(b" " * most))
    assert status == 400  # it is read, but nothing is in it


async def test_what_was_uploaded_is_told_once_it_is_there(console: Console) -> None:
    bad = span(3)
    bad.trace_id = b"short"
    body = sent(span(1), span(2), span(4, trace=2), bad).SerializeToString()
    status, said = await post(console, "/traces", body, "application/x-protobuf")
    assert (status, said) == (200, {"traces": [f"{1:032x}", f"{2:032x}"], "spans": 3, "rejected": 1})
    assert (await get(console, f"/traces/{2:032x}"))[0] == 200


@pytest.mark.parametrize(
    ("data", "kind", "status", "detail"),
    [
        (b"{}", "application/json", 400, "This is not a trace: no span in it."),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": "00"}]}]}]}', "application/json", 400,
         "This is not a trace: a span without a trace id of 16 bytes and a span id of 8 bytes, not all zero."),
        (b"{}", "text/plain", 415, "Send OTLP as application/json or application/x-protobuf."),
        (b"[]", "application/json", 400, "the body is not a JSON object."),
    ],
)  # fmt: skip
async def test_what_is_not_a_trace(console: Console, data: bytes, kind: str, status: int, detail: str) -> None:
    answered, said = await post(console, "/traces", data, kind)
    assert (answered, said["detail"]) == (status, detail)


async def test_a_full_store_takes_no_upload(start_console: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Writer, "add", lambda *_, **__: False)
    console = await start_console()
    status, said = await post(console, "/traces", json.dumps(TRACE))
    assert (status, said["detail"]) == (503, "The console writes more slowly than this comes. Try again.")


@pytest.mark.parametrize(
    ("body", "kind", "status", "detail"),
    [
        (json.dumps({"token": "let-me-in"}), "application/json", 204, None),
        (json.dumps({"token": "let-me-in"}).ljust(4096), "application/json", 204, None),
        (json.dumps({"token": "let-me-in"}).ljust(4097), "application/json", 415,
         'Send {"token": …} as application/json.'),
        (json.dumps({"token": "let-me-in"}), "text/plain", 415, 'Send {"token": …} as application/json.'),
        ("{", "application/json", 400, 'Send {"token": …} as application/json.'),
        ("5", "application/json", 400, 'Send {"token": …} as application/json.'),
        ("{}", "application/json", 400, 'Send {"token": …} as application/json.'),
        ('{"token": 5}', "application/json", 401, "This is not the token of the console. It was printed at the start."),
        ('{"token": "x"}', "application/json", 401,
         "This is not the token of the console. It was printed at the start."),
    ],
)  # fmt: skip
async def test_a_login(start_console: Start, body: str, kind: str, status: int, detail: str | None) -> None:
    console = await start_console(token="let-me-in")
    answered, said = await post(console, "/login", body, kind)
    assert (answered, said["detail"] if said else None) == (status, detail)
    assert (await get(console, "/self"))[0] == (200 if status == 204 else 401)  # the client keeps cookies


async def test_who_may_not_ask_is_counted(start_console: Start) -> None:
    console = await start_console(token="let-me-in")
    for headers in ({"Host": "evil.example"}, {"Origin": "null"}, {}, {}):
        async with console.client.get(f"{console.url}/api/v1/self", headers=headers) as response:
            assert response.status in (421, 403, 401)
    assert (await console.get("/health"))["console"]["refused"] == {"host": 1, "origin": 1, "token": 2}
