"""httpbin, driven straight and through the sidecar by six HTTP clients: no difference but the documented headers."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests
from calls import CALLS, DOCUMENTED, Answer, Call, comparable
from lab.process import SidecarProcess
from lab.sidecar import LISTEN

CLIENTS = Path(__file__).parent / "clients"
Driver = Callable[[str, list[Call], Path], list[Answer]]


@pytest.fixture(scope="module")
def httpbin() -> Iterator[str]:
    """httpbin under gunicorn, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--bind",
        "127.0.0.1:0",
        "--threads",
        "8",
        "--keep-alive",
        "30",
        "--no-control-socket",
        "httpbin:app",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as server:
        assert server.stderr is not None
        log: list[str] = []
        for line in server.stderr:
            log.append(line)
            if match := re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", line):
                break
        else:
            pytest.fail(f"httpbin did not start: {log}")
        yield match[1]
        server.terminate()
        server.stderr.close()
        server.wait(10)


@pytest.fixture(scope="module")
def sidecar(httpbin: str) -> Iterator[SidecarProcess]:
    with SidecarProcess("--inbound", LISTEN, "--outbound", LISTEN, "--admin", "off", "--app", httpbin) as process:
        yield process


def by_curl(base: str, calls: list[Call], scratch: Path) -> list[Answer]:
    answers = []
    for call in calls:
        command = [
            "curl",
            "--silent",
            "--show-error",
            "--http1.1",
            "--max-time",
            "20",
            "--dump-header",
            "-",
            "--output",
            str(scratch / "body"),
            "--path-as-is",
        ]
        command += ["--head"] if call.method == "HEAD" else ["--request", call.method]
        for name, value in call.fields.items():
            command += ["--header", f"{name}: {value}"]
        if call.body is not None:
            command += ["--data-binary", "@-"]
        (scratch / "body").write_bytes(b"")
        done = subprocess.run(
            [*command, base + call.path], input=call.body or b"", capture_output=True, check=True, timeout=30
        )
        *interim, head = done.stdout.decode("latin-1").strip().split("\r\n\r\n")
        assert all(block.startswith("HTTP/1.1 100") for block in interim)
        status, *lines = head.split("\r\n")
        fields = [(line.partition(":")[0], line.partition(":")[2].strip()) for line in lines]
        body = b"" if call.method == "HEAD" else (scratch / "body").read_bytes()
        answers.append(Answer(call.name, int(status.split(" ")[1]), fields, body))
    return answers


def by_httpx(base: str, calls: list[Call], scratch: Path) -> list[Answer]:
    with httpx.Client(base_url=base, timeout=20, trust_env=False) as client:
        return [
            Answer(call.name, got.status_code, got.headers.multi_items(), got.content)
            for call in calls
            for client.cookies in [httpx.Cookies()]
            for got in [client.request(call.method, call.path, headers=call.fields, content=call.body)]
        ]


def by_requests(base: str, calls: list[Call], scratch: Path) -> list[Answer]:
    answers = []
    with requests.Session() as session:
        session.trust_env = False
        for call in calls:
            session.cookies.clear()
            got = session.request(
                call.method, base + call.path, headers=call.fields, data=call.body, allow_redirects=False, timeout=20
            )
            answers.append(Answer(call.name, got.status_code, list(got.headers.items()), got.content))
    return answers


def by_aiohttp(base: str, calls: list[Call], scratch: Path) -> list[Answer]:
    async def drive() -> list[Answer]:
        answers = []
        async with aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(20)
        ) as session:
            for call in calls:
                fields = {name: value for name, value in call.fields.items() if name != "Expect"}
                expect = "Expect" in call.fields
                async with session.request(
                    call.method,
                    aiohttp.client.URL(base + call.path, encoded=True),
                    headers=fields,
                    data=call.body and io.BytesIO(call.body),
                    allow_redirects=False,
                    expect100=expect,
                ) as got:
                    answers.append(Answer(call.name, got.status, list(got.headers.items()), await got.read()))
        return answers

    return asyncio.run(drive())


def written(text: str) -> list[Answer]:
    """The answers that a client in another language has written: see calls.py."""
    answers = []
    for line in text.splitlines():
        name, status, fields, body = line.split("\t")
        pairs = [field.partition(": ") for field in base64.b64decode(fields).decode("latin-1").split("\n") if field]
        answers.append(Answer(name, int(status), [(pair[0], pair[2]) for pair in pairs], base64.b64decode(body)))
    return answers


def by_command(*command: str) -> Driver:
    def drive(base: str, calls: list[Call], scratch: Path) -> list[Answer]:
        (scratch / "calls").write_text("".join(call.line() + "\n" for call in calls))
        done = subprocess.run([*command, str(scratch / "calls"), base], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return written(done.stdout)

    return drive


# name of the program that is needed, how it is driven, calls that it can't make
DRIVERS: dict[str, tuple[str, Driver, set[str]]] = {
    "curl": ("curl", by_curl, set()),
    "httpx": ("", by_httpx, set()),
    "requests": ("", by_requests, set()),
    "aiohttp": ("", by_aiohttp, set()),
    "node-fetch": ("node", by_command("node", str(CLIENTS / "fetch.mjs")), {"upload-expect"}),  # fetch forbids Expect
    "java-httpclient": (
        "java",
        by_command("java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(CLIENTS / "Calls.java")),
        set(),
    ),
}


@pytest.mark.parametrize("client", DRIVERS)
def test_no_difference(client: str, httpbin: str, sidecar: SidecarProcess, tmp_path: Path) -> None:
    """Status, headers and body of each call are what they are without the sidecar."""
    program, drive, cannot = DRIVERS[client]
    if program and not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    calls = [call for call in CALLS if call.name not in cannot]
    straight, through = drive(httpbin, calls, tmp_path), drive(sidecar.url(), calls, tmp_path)
    assert [answer.name for answer in through] == [call.name for call in calls]
    for before, after in zip(straight, through, strict=True):
        assert comparable(after, sidecar.url()) == comparable(before, httpbin), before.name
        assert len([name for name, _ in after.fields if name.lower() == "date"]) == 1, before.name


def test_what_is_added_is_what_is_documented(httpbin: str, sidecar: SidecarProcess) -> None:
    """To a request without a trace: X-Forwarded-*, nothing else, and nothing is missing."""
    fields = {"X-Mine": "1", "Accept-Language": "de", "User-Agent": "me"}
    straight, through = (
        httpx.get(base + "/get?show_env=1", headers=fields, trust_env=False).json()["headers"]
        for base in (httpbin, sidecar.url())
    )
    assert {name.lower() for name in through} - {name.lower() for name in straight} == DOCUMENTED
    assert {name.lower() for name in straight} - {name.lower() for name in through} == {"connection"}


def test_trace_headers_are_translated(sidecar: SidecarProcess) -> None:
    """What a real server behind a real sidecar is told: traceparent, and no X-B3 any more."""
    trace, span = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
    got = httpx.get(
        sidecar.url() + "/headers",
        headers={"X-B3-TraceId": trace, "X-B3-SpanId": span, "X-B3-Sampled": "1"},
        trust_env=False,
    )
    told = {name.lower(): value for name, value in got.json()["headers"].items()}
    assert told["traceparent"] == f"00-{trace}-{span}-01"
    assert not [name for name in told if name.startswith("x-b3")]


@pytest.mark.parametrize("client", ["curl", "curl-tunnel", "httpx", "requests", "aiohttp"])
def test_as_http_proxy(client: str, httpbin: str, sidecar: SidecarProcess) -> None:
    """Way 1: the outbound listener as HTTP_PROXY; and a CONNECT tunnel."""
    url, proxy = httpbin + "/get?through=proxy&show_env=1", sidecar.url("outbound")
    if client.startswith("curl"):
        if not shutil.which("curl"):
            pytest.skip("curl is not installed")
        tunnel = ["--proxytunnel"] if client.endswith("tunnel") else []
        text = subprocess.run(
            ["curl", "--silent", "--fail", *tunnel, "--proxy", proxy, "--noproxy", "", url],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout
    elif client == "httpx":
        with httpx.Client(proxy=proxy, trust_env=False) as session:
            text = session.get(url).text
    elif client == "requests":
        with requests.Session() as session_:
            session_.trust_env = False
            text = session_.get(url, proxies={"http": proxy}, timeout=20).text
    else:

        async def ask() -> str:
            async with aiohttp.ClientSession() as session, session.get(url, proxy=proxy) as got:
                return await got.text()

        text = asyncio.run(ask())
    assert '"through": "proxy"' in text
    # What went through a tunnel was not touched.
    assert ('"Via"' in text) == (client != "curl-tunnel")
    assert "X-Forwarded-Host" not in text


def run_tool(*command: str) -> str:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, timeout=40)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ab(sidecar: SidecarProcess) -> None:
    """ApacheBench (HTTP/1.0, with and without keep-alive): no failed and no non-2xx answer."""
    for keep in ([], ["-k"]):
        out = run_tool("ab", "-q", "-n", "300", "-c", "8", *keep, sidecar.url() + "/bytes/2000?seed=1")
        assert re.search(r"Failed requests:\s+0\n", out), out
        assert "Non-2xx" not in out
        assert re.search(r"Complete requests:\s+300\n", out)
        assert re.search(r"HTML transferred:\s+600000 bytes\n", out), out


def test_wrk(sidecar: SidecarProcess) -> None:
    """wrk: no socket error and no non-2xx answer."""
    out = run_tool("wrk", "-t", "1", "-c", "8", "-d", "1s", sidecar.url() + "/bytes/2000?seed=1")
    assert "Socket errors" not in out, out
    assert "Non-2xx" not in out, out
    assert re.search(r"[1-9]\d* requests in", out)


def test_h2load(sidecar: SidecarProcess) -> None:
    """h2load in HTTP/1.1: every request succeeded."""
    out = run_tool("h2load", "--h1", "-n", "300", "-c", "8", sidecar.url() + "/bytes/2000?seed=1")
    assert "300 succeeded, 0 failed, 0 errored, 0 timeout" in out, out
    assert "status codes: 300 2xx, 0 3xx, 0 4xx, 0 5xx" in out, out
    assert "(600000) data" in out, out
