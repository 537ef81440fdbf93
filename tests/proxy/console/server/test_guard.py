"""Who may ask the page and the API."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from lab.consoles import Console, Start

from proxy.console.server.guard import _cookie


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
