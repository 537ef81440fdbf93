"""Who may ask the page and the API."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from lab.consoles import Console, Start
from multidict import CIMultiDict

from proxy.admin.hosts import AdminHosts
from proxy.console.server.guard import HEADERS, Guard, _cookie

HERE = "localhost:9083"
TOKEN = "correct-horse"


async def status(console: Console, path: str = "/api/v1/traces", method: str = "GET", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with console.client.request(method, console.url + path, headers=named, allow_redirects=False) as response:
        return response.status


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:9083", 200),
        ("localhost", 200),
        ("console:80", 200),
        ("evil.test", 421),
        ("evil.test:9083", 421),
    ],
)
async def test_host(console: Console, host: str, expected: int) -> None:
    assert await status(console, Host=host) == expected


async def test_further_names(start_console: Start) -> None:
    console = await start_console(hosts=("*.corp.example",))
    assert await status(console, Host="traces.corp.example") == 200
    assert await status(console, Host="traces.evil.test") == 421


async def test_a_page_of_another_origin_may_not_ask(console: Console) -> None:
    assert await status(console, Origin="http://evil.test") == 403
    assert await status(console, Origin="null") == 403
    assert await status(console, Origin=console.url) == 200
    assert await status(console, Sec_Fetch_Site="cross-site") == 403


async def test_on_loopback_there_is_no_token(console: Console) -> None:
    assert console.headers == {}
    assert await status(console) == 200


async def test_elsewhere_a_token_is_made_up(start_console: Start) -> None:
    console = await start_console(listen="0.0.0.0:0", token="auto")
    assert len(console.headers["Authorization"]) > 30
    console.url = console.url.replace(console.url.split("//")[1].rpartition(":")[0], "127.0.0.1")
    assert await status(console) == 401
    assert await status(console, **console.headers) == 200


async def test_no_token_has_to_be_said(start_console: Start) -> None:
    console = await start_console(listen="0.0.0.0:0", token="off")
    assert console.headers == {}


async def test_a_token_of_the_settings(start_console: Start) -> None:
    console = await start_console(token="correct-horse")
    assert await status(console) == 401
    assert await status(console, Authorization="Bearer wrong-horse") == 401
    assert await status(console, Authorization="Bearer correct-horse") == 200
    assert await status(console, "/?token=wrong-horse") == 303
    assert await status(console) == 401
    assert await status(console, "/?token=correct-horse") == 303
    assert await status(console) == 200  # by the cookie
    async with console.client.get(console.url + "/") as page:
        assert page.status in (200, 404)


async def test_a_page_logs_in(start_console: Start) -> None:
    console = await start_console(token="correct-horse")
    async with console.client.post(f"{console.url}/api/v1/login", json={"token": "wrong"}) as response:
        assert response.status == 401
    async with console.client.post(f"{console.url}/api/v1/login", json={"token": "correct-horse"}) as response:
        assert response.status == 204
        assert "HttpOnly" in response.headers["Set-Cookie"]
        assert "SameSite=Strict" in response.headers["Set-Cookie"]
    assert await status(console) == 200


async def test_every_answer_has_a_strict_policy(console: Console) -> None:
    for path in ("/", "/api/v1/traces", "/nothing", "/api/v1/nothing"):
        async with console.client.get(console.url + path) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_health_check_needs_no_token(start_console: Start) -> None:
    """`ops-sidecar health` asks so in a console's container; nothing is told but that it runs."""
    console = await start_console(token="correct-horse")
    async with console.client.get(f"{console.url}/healthz") as response:
        assert (response.status, await response.text()) == (200, "ok\n")


@pytest.mark.parametrize(("host", "name"), [("a.test", "80"), ("a.test:9083", "9083"), ("[::1]:1", "1")])
def test_a_cookie_is_named_after_the_port(host: str, name: str) -> None:
    """Cookies do not know ports: two consoles of one machine would send each other's token."""
    assert _cookie(make_mocked_request("GET", "/", headers={"Host": host})) == f"ops-console-{name}"


async def guarded(
    guard: Guard, method: str, path: str, headers: list[tuple[str, str]], error: Exception | None = None
) -> web.StreamResponse:
    """The answer to a request whose handler answers 204, or fails."""

    async def handler(_: web.Request) -> web.StreamResponse:
        if error is not None:
            raise error
        return web.Response(status=204)

    fields = CIMultiDict([("Host", HERE), *headers])
    return await guard.middleware()(make_mocked_request(method, path, fields), handler)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "why"),
    [
        ("GET", "/api/v1/self", [], 204, ""),
        ("GET", "/api/v1/self", [("Host", "evil.test")], 421, "host"),  # one more Host
        ("GET", "/", [("Host", "evil.test")], 421, "host"),
        ("GET", "/api/v1/self", [("Origin", f"http://{HERE}")], 204, ""),
        ("GET", "/api/v1/self", [("Origin", "http://localhost:9084")], 403, "origin"),
        ("GET", "/", [("Origin", "http://evil.test")], 403, "origin"),
        ("POST", "/api/v1/explain", [("Origin", "null")], 403, "origin"),
        ("GET", "/api/v1/self", [("Sec-Fetch-Site", "same-origin")], 204, ""),
        ("GET", "/api/v1/self", [("Sec-Fetch-Site", "cross-site")], 403, "origin"),
        ("GET", "/", [("Sec-Fetch-Site", "cross-site")], 204, ""),  # a link from elsewhere
        ("HEAD", "/page.css", [("Sec-Fetch-Site", "cross-site")], 204, ""),
        ("POST", "/", [("Sec-Fetch-Site", "cross-site")], 403, "origin"),
    ],
)
async def test_pages_of_other_sites_are_refused_and_counted(
    method: str, path: str, headers: list[tuple[str, str]], status: int, why: str
) -> None:
    guard = Guard(AdminHosts(), "")
    response = await guarded(guard, method, path, headers)
    assert (response.status, guard.refused, guard.has_token) == (status, {why: 1} if why else {}, False)
    assert HEADERS.items() <= dict(response.headers).items()
    await guarded(guard, method, path, headers)
    assert guard.refused == ({why: 2} if why else {})


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 204),
        ("GET", "/page.css", {}, 204),
        ("GET", "/healthz", {}, 204),
        ("POST", "/api/v1/login", {}, 204),
        ("GET", "/api/v1/login/", {}, 401),
        ("GET", "/api/v1/self", {}, 401),
        ("GET", "/api/v1/self", {"Authorization": f"bEARER  {TOKEN} "}, 204),
        ("GET", "/api/v1/self", {"Authorization": f"Basic {TOKEN}"}, 401),
        ("GET", "/api/v1/self", {"Authorization": f"Bearer {TOKEN}s"}, 401),
        ("GET", "/api/v1/self", {"Authorization": TOKEN}, 401),
        ("GET", "/api/v1/self", {"Cookie": f"ops-console-9083={TOKEN}"}, 204),
        ("GET", "/api/v1/self", {"Cookie": f"ops-console-9084={TOKEN}"}, 401),
        ("GET", "/api/v1/self", {"Cookie": "ops-console-9083=wrong"}, 401),
        ("GET", f"/api/v1/self?token={TOKEN}", {}, 401),
        ("POST", f"/?token={TOKEN}", {}, 204),  # is not the way in
    ],
)
async def test_what_asks_for_the_token(method: str, path: str, headers: dict[str, str], status: int) -> None:
    guard = Guard(AdminHosts(), TOKEN)
    response = await guarded(guard, method, path, list(headers.items()))
    assert (response.status, guard.refused, guard.has_token) == (status, {"token": 1} if status == 401 else {}, True)
    assert response.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
    await guarded(guard, method, path, list(headers.items()))
    assert guard.refused == ({"token": 2} if status == 401 else {})


def test_what_is_not_text_of_utf_8_is_not_the_token() -> None:
    """A header's bytes may come as half a character."""
    assert not Guard(AdminHosts(), TOKEN).is_token("\udcff")
    assert not Guard(AdminHosts(), TOKEN).is_token(TOKEN + "\udcff")


@pytest.mark.parametrize(("said", "is_right"), [(TOKEN, True), ("wrong", False), ("", False)])
async def test_the_printed_url_leads_to_one_without_the_token(said: str, is_right: bool) -> None:
    guard = Guard(AdminHosts(), TOKEN)
    response = await guarded(guard, "GET", f"/?token={said}", [])
    assert (response.status, response.headers["Location"], response.headers["Cache-Control"]) == (303, "/", "no-store")
    assert [one.OutputString() for one in response.cookies.values()] == (
        [f"ops-console-9083={TOKEN}; HttpOnly; Max-Age=31536000; Path=/; SameSite=Strict"] if is_right else []
    )
    assert guard.refused == ({} if is_right else {"token": 1})
    await guarded(guard, "GET", f"/?token={said}", [])
    assert guard.refused == ({} if is_right else {"token": 2})


@pytest.mark.parametrize(
    ("error", "status", "detail", "allow"),
    [
        (web.HTTPNotFound(), 404, "There is nothing at this path. /api/v1/openapi.json lists what is.", None),
        (web.HTTPMethodNotAllowed("PUT", ["GET"]), 405, "This path does not take that method.", "GET"),
        (web.HTTPServiceUnavailable(reason="Too many."), 503, "Too many.", None),
        (KeyError("hunter2"), 500, "The console failed at this. Its log says more.", None),
    ],
)
async def test_a_failure_is_told_as_a_problem(
    error: Exception, status: int, detail: str, allow: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    response: Any = await guarded(Guard(AdminHosts(), ""), "GET", "/", [], error)
    assert (response.status, response.headers.get("Allow")) == (status, allow)
    assert f'"detail": "{detail}"' in response.text
    assert HEADERS.items() <= dict(response.headers).items()
    told = [(one.levelno, one.getMessage(), one.exc_info is not None) for one in caplog.records]
    assert told == ([(logging.ERROR, "a question was not answered: KeyError", True)] if status == 500 else [])
