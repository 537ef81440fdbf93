"""`ops-sidecar wait`: 0 once all that is named is there, 1 with what is missing, or the command behind it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from proxy.cli import wait

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
STARTING = b"HTTP/1.1 503 No\r\n\r\nstarting\n"


@contextlib.contextmanager
def answering(answers: Sequence[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives each connection the next of `answers`; its address, and the requests."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    got.append(connection.recv(4096))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", got
        finally:
            thread.join(5)


@pytest.fixture
def nowhere() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(("flags", "path"), [([], b"/readyz"), (["--app"], b"/readyz?app=1")])
def test_the_sidecar_is_asked_until_it_is_ready(flags: list[str], path: bytes) -> None:
    with answering([STARTING, STARTING, OK]) as (admin, got):
        assert wait.run([*flags, "--admin", admin]) == 0
    assert [request.split(b" ")[1] for request in got] == [path] * 3


def test_others_by_address_and_by_url() -> None:
    with answering([OK, b"HTTP/1.1 500 No\r\n\r\n", b"HTTP/1.1 204 OK\r\n\r\n"]) as (address, got):
        words = ["--no-sidecar", "--for", address, "--for", f"http://{address}/healthz?a=1"]
        assert wait.run(words) == 0
    assert got[1].startswith(b"GET /healthz?a=1 HTTP/1.1\r\nHost: " + address.encode() + b"\r\n")


def test_a_unix_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        assert wait.run(["--no-sidecar", "--for", f"unix:{tmp_path}/s"]) == 0


def test_what_is_missing_is_named(nowhere: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert wait.run(["--no-sidecar", "--for", nowhere, "--timeout", "0.1"]) == 1
    assert f"{nowhere} is not there after 0.1 s: " in capsys.readouterr().err
    with answering([STARTING] * 20) as (admin, _):
        assert wait.run(["--admin", admin, "--timeout", "0.3"]) == 1
        assert "the sidecar is not there after 0.3 s" in capsys.readouterr().err
        for _ in range(20):  # let the server end
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(admin.split(":")[1])), 1):
                pass


NEEDS = "--no-sidecar needs --for, and excludes --app, which the sidecar answers"
EXPECTED = "expected host:port, unix:/path or http://host:port/path"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-sidecar"], NEEDS),
        (["--no-sidecar", "--app", "--for", "a:1"], NEEDS),
        (["--for", "nowhere"], f"--for nowhere: {EXPECTED}"),
        (["--for", ":1"], f"--for :1: {EXPECTED}"),
        (["--for", "a:x"], f"--for a:x: {EXPECTED}"),
        (["--for", "https://a/"], f"--for https://a/: {EXPECTED}"),
        (["--for", "http:///a"], f"--for http:///a: {EXPECTED}"),
        (["--for", "a:65536"], f"--for a:65536: {EXPECTED}"),
        (["--"], "expected a command after --"),
    ],
)
def test_wrong_arguments(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        wait.run(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: {said}\n")


@pytest.mark.parametrize(("status", "is_there"), [(199, False), (200, True), (299, True), (300, False)])
def test_a_url_has_to_answer_2xx(status: int, is_there: bool) -> None:
    with answering([b"HTTP/1.1 %d No\r\n\r\nnot yet\n" % status]) as (address, got):
        awaited = wait._other(f"http://{address}")
        with contextlib.nullcontext() if is_there else pytest.raises(ValueError, match=f"^answered {status}: not yet$"):
            awaited.attempt(5.0)
    assert awaited.name == f"http://{address}"
    assert got[0].startswith(b"GET / HTTP/1.1\r\nHost: ")


def test_an_admin_listener_that_is_off_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPS_SIDECAR_ADMIN__LISTEN", "off")
    assert wait.run(["--app", "--timeout", "0.001"]) == 1
    assert capsys.readouterr().err == (
        "ops-sidecar wait: the sidecar and its app is not there after 0.001 s: "
        "the admin listener is off, so nothing can answer\n"
    )


def test_the_pauses_between_attempts_grow() -> None:
    assert (wait._ATTEMPT_S, wait._PAUSES_S) == (2.0, (0.05, 0.1, 0.2, 0.4, 0.8))


def test_it_becomes_the_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = f"127.0.0.1:{listener.getsockname()[1]}"
        words = ["wait", "--no-sidecar", "--for", there, "--", sys.executable, "-c", "print('after'); exit(7)"]
        done = subprocess.run([sys.executable, "-m", "proxy", *words], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (7, "after\n")


def test_a_command_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = f"127.0.0.1:{listener.getsockname()[1]}"
        assert wait.run(["--no-sidecar", "--for", there, "--", "/nowhere/at/all"]) == 127
    assert "cannot run /nowhere/at/all" in capsys.readouterr().err


def test_a_command_that_may_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As shells have it: 127 for one that is not there, 126 for one that cannot be run."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = f"127.0.0.1:{listener.getsockname()[1]}"
        assert wait.run(["--no-sidecar", "--for", there, "--", str(tmp_path)]) == 126
    assert f"cannot run {tmp_path}" in capsys.readouterr().err


class Clock:
    """Goes on while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


@pytest.mark.parametrize(
    ("fails", "timeout_s", "is_there", "slept", "attempts"),
    [
        (0, 10.0, True, [], [2.0]),
        (3, 10.0, True, [0.05, 0.1, 0.2], [2.0] * 4),
        (99, 2.0, False, [0.05, 0.1, 0.2, 0.4, 0.8, 0.45], [2.0, 1.95, 1.85, 1.65, 1.25, 0.45, 0.05]),
        (7, 4.0, True, [0.05, 0.1, 0.2, 0.4, 0.8, 0.8, 0.8], [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.65, 0.85]),
        (99, 0.0, False, [], [0.05]),
    ],
)
def test_attempts_and_the_pauses_between_them(
    fails: int, timeout_s: float, is_there: bool, slept: list[float], attempts: list[float],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """An attempt has two seconds, and no more than is left; there is one more when the time is over."""
    clock, tried = Clock(), []
    monkeypatch.setattr(wait, "time", clock)

    def attempt(limit_s: float) -> None:
        tried.append(round(limit_s, 6))
        if len(tried) <= fails:
            raise ValueError("not yet")

    found = wait._wait([wait.Awaited("it", attempt), wait.Awaited("other", lambda _: None)], 100 + timeout_s, timeout_s)
    assert (found, clock.slept, tried) == (is_there, slept, attempts)
    told = "" if is_there else f"ops-sidecar wait: it is not there after {timeout_s:g} s: not yet\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("where", "asked"),
    [
        ("http://a", ("a:80", "/", "a")), ("http://a:81", ("a:81", "/", "a:81")),
        ("http://a/b/c?d", ("a:80", "/b/c?d", "a")), ("http://[::1]:5/x", ("[::1]:5", "/x", "[::1]:5")),
        ("http://5", ("5:80", "/", "5")),
    ],
)  # fmt: skip
def test_where_a_url_is_asked(where: str, asked: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[object] = []

    def ask(address: str, path: str, timeout_s: float, *, host: str) -> tuple[int, str]:
        found.append((address, path, host, timeout_s))
        return 204, ""

    monkeypatch.setattr(wait, "ask", ask)
    wait._other(where).attempt(1.5)
    assert found == [(*asked, 1.5)]


@pytest.mark.parametrize("where", ["a:65535", "[::1]:0", "unix:/a"])
def test_addresses_are_connected_to_and_left(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[object] = []

    def connect(address: str, timeout_s: float) -> socket.socket:
        found.append((address, timeout_s))
        made = socket.socket()
        found.append(made)
        return made

    monkeypatch.setattr(wait, "connect", connect)
    wait._other(where).attempt(1.5)
    assert found[0] == (where, 1.5)
    assert found[1].fileno() == -1  # type: ignore[attr-defined]  # a socket
