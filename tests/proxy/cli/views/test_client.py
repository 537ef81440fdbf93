"""The client of a console over real HTTP: what it sends, and what each answer becomes."""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from proxy.cli.views import client
from proxy.cli.views.client import Console, ConsoleError, add_console_flags, answering, console_of


@contextlib.contextmanager
def serving(status: int, body: bytes) -> Iterator[tuple[str, list[tuple[str, str, dict[str, str], bytes]]]]:
    """A server that answers all alike; its URL, and what it was asked: method, path, headers, content."""
    got: list[tuple[str, str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            got.append((self.command, self.path, dict(self.headers), content))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", got
        finally:
            server.shutdown()
            thread.join()


def test_a_question_with_what_is_known_of_it() -> None:
    with serving(200, b'{"a": 1}') as (url, got):
        assert Console(f"{url}/console/?token=t").get("/traces", q="a b", before=None, limit=0, more="") == {"a": 1}
    ((method, path, headers, content),) = got
    assert (method, path, content) == ("GET", "/console/api/v1/traces?q=a+b&limit=0", b"")
    assert (headers["Accept"], headers["Authorization"]) == ("application/json", "Bearer t")
    assert "Content-Type" not in headers


def test_what_is_posted_is_json() -> None:
    with serving(200, b"[]") as (url, got):
        assert Console(url).post("/explain", {"text": "b3: 0"}) == []
        assert Console(url).get("/self") == []
    (method, path, headers, content), (_, asked, _, _) = got
    assert (method, path, json.loads(content)) == ("POST", "/api/v1/explain", {"text": "b3: 0"})
    assert headers["Content-Type"] == "application/json"
    assert "Authorization" not in headers
    assert asked == "/api/v1/self"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>", "URL does not answer as a console does (200)"),
        (404, b"<html>", "URL does not answer as a console does (404)"),
        (401, b"{}", "URL asks for its token: give the URL that it printed, or set OPS_CONSOLE_TOKEN"),
        (400, b'{"detail": "limit is wrong"}', "limit is wrong"),
        (400, b"{}", "the console answered 400"),
        (503, b'{"detail": ""}', "the console answered 503"),
    ],
)
def test_a_refusal_is_told(status: int, body: bytes, said: str) -> None:
    with serving(status, body) as (url, _), pytest.raises(ConsoleError) as caught:
        Console(url).get("/traces")
    assert str(caught.value) == said.replace("URL", url, 1)


def test_what_is_not_there_is_none() -> None:
    with serving(404, b"{}") as (url, _):
        assert Console(url).get("/traces/1") is None
    with serving(399, b"5") as (url, _):
        assert Console(url).get("/traces/1") == 5


def test_an_answer_is_read_up_to_64_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (client._MOST_BYTES, client._TIMEOUT_S) == (67_108_864, 20.0)
    monkeypatch.setattr(client, "_MOST_BYTES", 4)
    with serving(200, b"1234") as (url, _):
        assert Console(url).get("/a") == 1234
    with serving(200, b"123 x") as (url, _):
        assert Console(url).get("/a") == 123


def test_where_nobody_answers() -> None:
    with serving(200, b"") as (url, _):
        pass
    with pytest.raises(ConsoleError) as caught:
        Console(url).get("/traces")
    first, second = str(caught.value).split("\n")
    assert first.startswith(f"no console answers at {url}: ")
    assert second == "Start one with `ops-sidecar console`, or name it with --console or OPS_CONSOLE_URL."
    with pytest.raises(ConsoleError, match=r"^no console answers at https://"):
        Console(url.replace("http:", "https:")).get("/traces")


def test_a_console_with_tls_is_asked_with_tls() -> None:
    with serving(200, b"1") as (url, _), pytest.raises(ConsoleError, match="SSL"):
        Console(url.replace("http:", "https:")).get("/traces")


@pytest.mark.parametrize(
    ("words", "environment", "url", "token"),
    [
        ([], {}, "http://127.0.0.1:9083", ""),
        ([], {"OPS_CONSOLE_URL": "a:1", "OPS_CONSOLE_TOKEN": "t"}, "http://a:1", "t"),
        (["--console", "b"], {"OPS_CONSOLE_URL": "a:1"}, "http://b", ""),
        (["--token", "u"], {"OPS_CONSOLE_TOKEN": "t"}, "http://127.0.0.1:9083", "u"),
        (["--console", "b/?token=v"], {}, "http://b", "v"),
    ],
)
def test_which_console_is_asked(
    words: list[str], environment: dict[str, str], url: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPS_CONSOLE_URL", "OPS_CONSOLE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    parser = argparse.ArgumentParser()
    add_console_flags(parser)
    found = console_of(parser.parse_args(words))
    assert (found.url, found._token) == (url, token)
    assert parser.parse_args(words).json is False


def test_a_command_that_asks_for_no_json_has_no_flag_for_it() -> None:
    parser = argparse.ArgumentParser()
    add_console_flags(parser, as_json=False)
    assert not hasattr(parser.parse_args([]), "json")


def test_a_console_that_does_not_answer_fails_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> Any:
        raise ConsoleError("it is not there")

    assert (answering("traces", lambda: 5), answering("traces", fails)) == (5, 1)
    assert capsys.readouterr() == ("", "ops-sidecar traces: it is not there\n")
