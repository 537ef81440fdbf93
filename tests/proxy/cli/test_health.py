"""`ops-sidecar health`: 0 only where the admin listener answers 200; found as `run` would place it."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.cli import health
from proxy.settings import Settings

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPS_SIDECAR_ADMIN__LISTEN", "OPS_SIDECAR_CONFIG", "MIRASCOPE_PROPAGATOR"):
        monkeypatch.delenv(name, raising=False)


def test_the_default_is_that_of_the_settings() -> None:
    """It is written down here once more, because a health check must not load pydantic each time."""
    assert str(Settings().admin.listen) == health.DEFAULT


@contextlib.contextmanager
def answering(
    answer: bytes, family: int = socket.AF_INET, where: object = ("127.0.0.1", 0)
) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers one connection with `answer`; gives its address and the request that it got."""
    got: list[bytes] = []
    with socket.socket(family) as listener:
        listener.bind(where)
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                got.append(connection.recv(4096))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        name = listener.getsockname()
        try:
            yield (f"unix:{name}" if family == socket.AF_UNIX else f"{name[0]}:{name[1]}"), got
        finally:
            thread.join(5)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (OK, 0),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 1),
        (b"SSH-2.0-OpenSSH\r\n", 1),
        (b"", 1),
    ],
)
def test_only_200_is_well(answer: bytes, code: int) -> None:
    with answering(answer) as (address, got):
        assert health.run(["--admin", address]) == code
    assert got[0].startswith(b"GET /healthz HTTP/1.1\r\n")


@pytest.mark.parametrize(("flag", "path"), [("--ready", b"/readyz"), ("--app", b"/readyz?app=1")])
def test_a_flag_asks_for_readiness(flag: str, path: bytes) -> None:
    with answering(OK) as (address, got):
        assert health.run([flag, "--admin", address]) == 0
    assert got[0].startswith(b"GET " + path + b" ")


def test_what_is_wrong_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(b"HTTP/1.1 503 No\r\n\r\ndraining\n") as (address, _):
        assert health.run(["--ready", "--admin", address]) == 1
    assert capsys.readouterr().out == f"{address}/readyz answered 503: draining\n"


@pytest.mark.parametrize("with_file", [False, True])
def test_a_health_check_loads_no_library_that_it_can_do_without(tmp_path: Path, with_file: bool) -> None:
    """It may run every second: pydantic alone would cost 0.2 s of CPU each time."""
    file = tmp_path / "sidecar.yaml"
    file.write_text("admin: {listen: '127.0.0.1:1'}\n", encoding="utf-8")
    environ = {"OPS_SIDECAR_CONFIG": str(file)} if with_file else {}
    code = "import sys; from proxy.cli.commands import main; main(['health']); print(*sorted(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )
    loaded = set(ran.stdout.split())
    assert "proxy.cli.health" in loaded
    heavy = {"pydantic", "aiohttp", "asyncio", "uvloop", "opentelemetry", "dataclasses", "inspect", "ops_lib"}
    if sys.version_info[:2] == (3, 14):
        heavy -= {"dataclasses", "inspect"}  # argparse loads them there
    assert not loaded & (heavy if with_file else heavy | {"yaml"})


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert health.run(["--admin", f"127.0.0.1:{port}"]) == 1
    assert str(port) in capsys.readouterr().err


def test_nobody_answers_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert health.run(["--timeout", "0.05", "--admin", f"127.0.0.1:{listener.getsockname()[1]}"]) == 1


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "soon"])
def test_wrong_timeout(capsys: pytest.CaptureFixture[str], timeout: str) -> None:
    with pytest.raises(SystemExit) as ended:
        health.run(["--timeout", timeout])
    assert ended.value.code == 2
    assert f"'{timeout}': expected seconds" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["9082", "host:", "host:port", "127.0.0.1:65536"])
def test_wrong_address(address: str) -> None:
    assert health.run(["--admin", address]) == 1


def test_unix_socket(tmp_path: Path) -> None:
    with answering(OK, socket.AF_UNIX, str(tmp_path / "admin.sock")) as (address, _):
        assert health.run(["--admin", address]) == 0


def test_found_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(OK) as (address, _):
        monkeypatch.setenv("OPS_SIDECAR_ADMIN__LISTEN", address.replace("127.0.0.1", "0.0.0.0"))
        assert health.run([]) == 0


def test_found_by_settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with answering(OK) as (address, _):
        file = tmp_path / "sidecar.yaml"
        file.write_text(f"admin:\n  listen: {address}\n")
        monkeypatch.setenv("OPS_SIDECAR_CONFIG", str(file))
        assert health.run([]) == 0


def test_admin_off_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OPS_SIDECAR_ADMIN__LISTEN", "off")
    assert health.run([]) == 1
    assert "off" in capsys.readouterr().err


def test_a_unix_socket_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert health.run(["--admin", f"unix:{tmp_path}/none"]) == 1
    assert f"no answer from unix:{tmp_path}/none/healthz" in capsys.readouterr().err


def test_wrong_settings_are_told_and_the_default_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What runs was started with settings that were right then."""
    monkeypatch.setenv("OPS_SIDECAR_ADMIN__LISTEN", "nowhere")
    with answering(OK) as (address, _):
        monkeypatch.setattr(health, "DEFAULT", address)
        assert health.run([]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{address}/healthz answered 200\n"
    assert "admin.listen = nowhere (from environment variable OPS_SIDECAR_ADMIN__LISTEN)" in shown.err


@pytest.mark.parametrize(
    ("anywhere", "family"), [("0.0.0.0", socket.AF_INET), ("*", socket.AF_INET), ("[::]", socket.AF_INET6)]
)
def test_every_interface_is_asked_on_this_machine(anywhere: str, family: socket.AddressFamily) -> None:
    with socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family) as listener:
        connection = health.connect(f"{anywhere}:{listener.getsockname()[1]}", 5.0)
        with connection:
            assert connection.getpeername()[:2] == listener.getsockname()[:2]


def test_a_url_is_an_address_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        health.connect(f"http://127.0.0.1:{listener.getsockname()[1]}/", 5.0).close()


def test_nobody_at_a_unix_socket_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        health.connect(f"unix:{tmp_path}/a.sock", 5.0)


def test_the_last_port_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *given: asked.append(given))
    health.connect("127.0.0.1:65535", 5.0)
    assert asked == [((b"127.0.0.1", 65535), 5.0)]


@pytest.mark.parametrize("address", ["a", "a:", ":x", "a:65536", "a:-1", "http://a", "a:1x"])
def test_what_is_not_an_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"^expected host:port or unix:/path$"):
        health.connect(address, 5.0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nfine\n", (200, "")),
        (b"HTTP/1.0 503\r\nA: b\r\n\r\n draining \n", (503, ": draining")),
        (b"HTTP/1.1 404 No\r\n\r\n", (404, "")),
        (b"HTTP/1.1 503 No\r\n\r\n" + b"x" * 201, (503, ": " + "x" * 200)),
        (b"HTTP/1.1 503 No\r\n\r\n\x1b[1m", (503, "")),
        (b"HTTP/1.1 503 No\r\n\r\n\xff", (503, ": \ufffd")),
        (b"HTTP/2 200 OK\r\n\r\n", "not an HTTP answer: b'HTTP/2 200 OK\\r\\n'"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "not an HTTP answer: b'HTTP/1.1 2x0 OK\\r\\n'"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "not an HTTP answer: b'HTTP/1.1 2000 OK\\r\\n'"),
        (b"HTTP/1.1 20\r\n\r\n", "not an HTTP answer: b'HTTP/1.1 20\\r\\n'"),
        (b"HTTP/1.1\r\n\r\n", "not an HTTP answer: b'HTTP/1.1\\r\\n'"),
        (b"y" * 61, f"not an HTTP answer: b'{'y' * 60}'"),
    ],
)
def test_what_an_answer_says(answer: bytes, said: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text is told in one line, if it may be shown."""
    ours, theirs = socket.socketpair()
    asked: list[object] = []

    def connect(address: str, timeout_s: float) -> socket.socket:
        asked.append((address, timeout_s))
        return ours

    monkeypatch.setattr(health, "connect", connect)
    with theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        if isinstance(said, str):
            with pytest.raises(ValueError) as caught:
                health.ask("a:1", "/p", 5.0)
            assert str(caught.value) == said
        else:
            assert health.ask("a:1", "/p", 5.0, host="h") == said
            assert theirs.recv(999) == b"GET /p HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    assert asked == [("a:1", 5.0)]


@pytest.mark.parametrize(("text", "value"), [("3600", 3600.0), ("0.001", 0.001), ("3600.1", None), ("0", None)])
def test_how_long_it_may_take(text: str, value: float | None) -> None:
    if value is not None:
        assert health.seconds(text) == value
    else:
        with pytest.raises(argparse.ArgumentTypeError, match=r": expected seconds, more than 0 and at most 3600$"):
            health.seconds(text)
