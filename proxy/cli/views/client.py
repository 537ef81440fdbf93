"""Asks a running console over its API. Knows HTTP and the standard library; what is asked is each command's."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import ssl
import sys
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from proxy.errors import reason_of

URL_VARIABLE: Final = "OPS_CONSOLE_URL"
TOKEN_VARIABLE: Final = "OPS_CONSOLE_TOKEN"
_USUAL: Final = "http://127.0.0.1:9083"
_TIMEOUT_S: Final = 20.0
_MOST_BYTES: Final = 64 * 1024 * 1024


class ConsoleError(Exception):
    """The console does not answer, or refuses; the message says why, and what to do."""


class Console:
    """One console. `url` may be the one that it printed, with its token."""

    def __init__(self, url: str, token: str = "") -> None:
        """Raises ConsoleError if `url` is not one."""
        said = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = said.port
        except ValueError:
            port = -1
        if said.scheme not in ("http", "https") or not said.hostname or port == -1:
            raise ConsoleError(f"{url[:80]!r} is not the URL of a console, such as {_USUAL}")
        self._tls = said.scheme == "https"
        self._host, self._port = said.hostname, port
        self._path = said.path.rstrip("/")
        self._token = token or parse_qs(said.query).get("token", [""])[0]
        host = f"[{said.hostname}]" if ":" in said.hostname else said.hostname
        self.url = f"{said.scheme}://{host}{f':{port}' if port else ''}{self._path}"

    def get(self, path: str, **query: object) -> Any:
        """The JSON at `/api/v1` and `path`; None: there is no such thing. Raises ConsoleError."""
        asked = urlencode({name: value for name, value in query.items() if value not in (None, "")})
        return self._ask("GET", f"{path}?{asked}" if asked else path)

    def post(self, path: str, said: object) -> Any:
        """The same for a POST of JSON."""
        return self._ask("POST", path, json.dumps(said).encode())

    def page(self, where: str, **query: str) -> str:
        """A link to the page; `where` is a path of the page, with its parts quoted, `query` what stands behind it."""
        asked = urlencode({name: value for name, value in query.items() if value})
        return f"{self.url}/#{where}{'?' if asked else ''}{asked}"

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connect()
        try:
            connection.request(method, f"{self._path}/api/v1{path}", body, headers)
            response = connection.getresponse()
            answer = response.read(_MOST_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise ConsoleError(
                f"no console answers at {self.url}: {reason_of(error)}\n"
                f"Start one with `ops-sidecar console`, or name it with --console or {URL_VARIABLE}."
            ) from None
        finally:
            connection.close()
        try:
            said = json.loads(answer)
        except ValueError:
            raise ConsoleError(f"{self.url} does not answer as a console does ({response.status})") from None
        if response.status == 404:
            return None
        if response.status == 401:
            raise ConsoleError(f"{self.url} asks for its token: give the URL that it printed, or set {TOKEN_VARIABLE}")
        if response.status >= 400:
            raise ConsoleError(str(said.get("detail") or f"the console answered {response.status}"))
        return said

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT_S, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)


def add_console_flags(parser: argparse.ArgumentParser, *, as_json: bool = True) -> None:
    """Where the console is; and `--json`."""
    parser.add_argument("--console", metavar="URL", help=f"the console (default: {URL_VARIABLE}, or {_USUAL})")
    parser.add_argument("--token", help=f"its token (default: {TOKEN_VARIABLE}, or the one in the URL)")
    if as_json:
        parser.add_argument("--json", action="store_true", help="print the API's answer")


def console_of(arguments: argparse.Namespace) -> Console:
    """Raises ConsoleError."""
    url = arguments.console or os.environ.get(URL_VARIABLE) or _USUAL
    return Console(url, arguments.token or os.environ.get(TOKEN_VARIABLE, ""))


def answering(name: str, work: Callable[[], int]) -> int:
    """Run a command; 1 if the console does not answer."""
    try:
        return work()
    except ConsoleError as error:
        print(f"ops-sidecar {name}: {error}", file=sys.stderr)
        return 1


def show_json(said: object) -> None:
    """An answer as it came."""
    print(json.dumps(said, indent=2, ensure_ascii=False))
