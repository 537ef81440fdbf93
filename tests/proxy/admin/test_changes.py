"""What the admin listener shows and does, over a real socket: who may, in which form, within which limits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.admin.application import LIMIT_BODY_BYTES, application
from proxy.admin.changes import control_routes
from proxy.admin.exchange import Request
from proxy.admin.hosts import AdminHosts
from proxy.admin.server import AdminServer
from proxy.explain.by_plan import Question, UnknownListenerError
from proxy.plan import Address
from proxy.telemetry.state import Phase, State

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
TRACEPARENT = f"00-{T}-{S}-01"
CHANGES = ("/reload", "/drain", "/log-level")


class Control:
    """Stands in for the sidecar's own."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.problems: list[str] = []
        self.takes_changes: bool | None = None

    def config(self) -> dict[str, object]:
        return {"settings": []}

    def shadow(self) -> dict[str, object]:
        return {"routes": []}

    def explain(self, headers: Sequence[tuple[str, str]], question: Question) -> dict[str, object]:
        if question.listener == "x":
            raise UnknownListenerError("there is no listener 'x'")
        self.done.append((list(headers), question))
        return {"listeners": []}

    async def reload(self) -> Sequence[str]:
        self.done.append("reload")
        return self.problems

    async def set_level(self, level: str | None) -> Sequence[str]:
        self.done.append(("level", level))
        return self.problems

    def drain(self) -> None:
        self.done.append("drain")


@pytest.fixture
def control() -> Control:
    return Control()


async def serving(control: Control, address: Address) -> tuple[AdminServer, Address]:
    async def is_up() -> bool:
        return True

    state = State(Phase.READY)
    routes = application(state, lambda _: ("", ""), is_app_up=is_up, hosts=AdminHosts(), control=control)
    server = AdminServer(routes, state)
    return server, await server.listen(address)


@pytest.fixture
async def session(control: Control) -> AsyncIterator[aiohttp.ClientSession]:
    server, address = await serving(control, Address("127.0.0.1", 0))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{address.port}") as made:
        yield made
    await server.close()


async def ask(session: aiohttp.ClientSession, path: str, data: Any = None, **more: Any) -> tuple[int, Any]:
    async with session.post(path, data=data, **more) as response:
        assert response.headers["Cache-Control"] == "no-store"
        text = await response.text()
        return response.status, json.loads(text) if text.startswith("{") else text


async def test_the_settings_are_shown(session: aiohttp.ClientSession) -> None:
    async with session.get("/config") as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
        assert await response.json() == {"settings": []}
    async with session.get("/shadow") as response:
        assert await response.json() == {"routes": []}
    async with session.get("/") as response:
        assert {"/config", "/shadow", "/explain", *CHANGES} <= set((await response.text()).split())


@pytest.mark.parametrize("path", ["/explain", *CHANGES])
async def test_nothing_is_done_by_get(session: aiohttp.ClientSession, control: Control, path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"):
        async with session.request(method, path) as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")
    assert control.done == []


async def test_a_reload(session: aiohttp.ClientSession, control: Control) -> None:
    assert await ask(session, "/reload") == (200, {"done": True})
    control.problems = ["inbound.app: wrong"]
    assert await ask(session, "/reload") == (409, {"done": False, "problems": ["inbound.app: wrong"]})
    assert control.done == ["reload", "reload"]


async def test_a_drain(session: aiohttp.ClientSession, control: Control) -> None:
    assert await ask(session, "/drain") == (202, {"draining": True})
    assert control.done == ["drain"]


@pytest.mark.parametrize(
    ("body", "level"),
    [
        ({"data": "debug"}, "debug"),
        ({"data": " WARNING\n"}, "warning"),
        ({"json": {"level": "error"}}, "error"),
        ({"json": "info"}, "info"),
        ({"json": {"level": None}}, None),
        ({"data": "settings"}, None),
    ],
)
async def test_a_log_level(
    session: aiohttp.ClientSession, control: Control, body: dict[str, Any], level: str | None
) -> None:
    assert await ask(session, "/log-level", **body) == (200, {"done": True, "level": level or "settings"})
    assert control.done == [("level", level)]


@pytest.mark.parametrize("body", [{"data": "loud"}, {"data": ""}, {"json": {"level": 5}}, {"json": [1]}])
async def test_what_is_not_a_level(session: aiohttp.ClientSession, control: Control, body: dict[str, Any]) -> None:
    status, answer = await ask(session, "/log-level", **body)
    assert status == 400
    assert "expected debug, info, warning, error, or settings" in answer["error"]
    assert control.done == []


async def test_headers_as_they_are_pasted(session: aiohttp.ClientSession, control: Control) -> None:
    query = {"peer": "10.0.0.1", "peer_name": "A.internal", "listener": "inbound", "host": "b:81"}
    pasted = f"> GET / HTTP/1.1\r\n> traceparent: {TRACEPARENT}\r\n>\r\n< HTTP/1.1 200 OK\r\n< a: b\r\n"
    assert (await ask(session, "/explain", pasted, params=query))[0] == 200
    question = Question("10.0.0.1", ("a.internal",), "inbound", "b", 81)
    assert control.done == [([("traceparent", TRACEPARENT)], question)]


@pytest.mark.parametrize("headers", [{"traceparent": TRACEPARENT}, [["traceparent", TRACEPARENT]]])
async def test_headers_as_json(session: aiohttp.ClientSession, control: Control, headers: Any) -> None:
    asked = {"headers": headers, "peer": "10.0.0.1", "peer_names": ["a"], "listener": "outbound", "host": "b"}
    assert await ask(session, "/explain", json=asked) == (200, {"listeners": []})
    question = Question("10.0.0.1", ("a",), "outbound", "b", 80)
    assert control.done == [([("traceparent", TRACEPARENT)], question)]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"data": "what is this"}, "is not a header"),
        ({"data": "{", "headers": {"Content-Type": "application/json"}}, "is not JSON"),
        ({"data": "[" * 60_000, "headers": {"Content-Type": "application/json"}}, "is not JSON"),
        ({"json": []}, "expected a JSON object"),
        ({"json": {}}, "headers: expected"),
        ({"json": {"headers": [["a"]]}}, "headers: expected"),
        ({"json": {"headers": {"a": 1}}}, "headers: expected"),
        ({"json": {"headers": {}, "peer": 1}}, "peer: expected text"),
        ({"json": {"headers": {}, "peer_names": "a"}}, "peer_names: expected a list"),
        ({"json": {"headers": {}, "peer": "nobody"}}, "is not an address"),
        ({"json": {"headers": {}, "listener": "x"}}, "there is no listener"),
    ],
)
async def test_a_question_that_cannot_be_answered(
    session: aiohttp.ClientSession, more: dict[str, Any], error: str
) -> None:
    status, answer = await ask(session, "/explain", **more)
    assert status == 400
    assert error in answer["error"]


@pytest.mark.parametrize("path", ["/explain", "/log-level"])
async def test_a_body_has_a_limit(session: aiohttp.ClientSession, control: Control, path: str) -> None:
    assert (await ask(session, path, b"x" * (LIMIT_BODY_BYTES + 1)))[0] == 413
    assert control.done == []


@pytest.mark.parametrize("path", ["/explain", *CHANGES])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
    ],
)
async def test_pages_of_other_sites_are_refused(
    session: aiohttp.ClientSession, control: Control, path: str, headers: dict[str, str]
) -> None:
    assert (await ask(session, path, "debug", headers=headers))[0] in (403, 421)
    assert control.done == []


@pytest.mark.parametrize("path", CHANGES)
async def test_who_may_change_the_sidecar(session: aiohttp.ClientSession, control: Control, path: str) -> None:
    control.takes_changes = False
    status, answer = await ask(session, path, "debug")
    assert (status, "admin.changes" in answer["error"]) == (403, True)
    assert control.done == []
    control.takes_changes = True
    assert (await ask(session, path, "debug"))[0] in (200, 202)


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        *((peer, 200) for peer in (("::1", 1, 0, 0), ("::ffff:127.0.0.1", 1, 0, 0), ("127.8.8.8", 1), "", None)),
        *((peer, 403) for peer in (("192.0.2.1", 5000), ("fe80::1%eth0", 1, 0, 3), ("::ffff:10.0.0.1", 1, 0, 0))),
        (("what", 1), 403),
    ],
)
async def test_callers_from_elsewhere_may_look_and_not_touch(control: Control, peer: object, status: int) -> None:
    """Another machine has another address; callers of a Unix socket have none and are on this one."""
    routes = control_routes(control)
    change = Request("POST", "/reload", {}, (), peer)
    assert (await routes["/reload"]["POST"](change)).status == status
    look = Request("POST", "/explain", {}, (), peer, f"traceparent: {TRACEPARENT}".encode())
    assert (await routes["/explain"]["POST"](look)).status == 200
    assert ("reload" in control.done) is (status == 200)


async def test_callers_over_a_unix_socket(control: Control, tmp_path: Path) -> None:
    path = str(tmp_path / "admin.sock")
    server, _ = await serving(control, Address("", 0, path))
    async with aiohttp.ClientSession("http://localhost", connector=aiohttp.UnixConnector(path)) as session:
        assert (await ask(session, "/reload"))[0] == 200
    await server.close()
