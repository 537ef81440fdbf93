"""`ops-sidecar health`: checks the health of a running sidecar, for containers.

For speed, since it runs every few seconds: it imports little, and no library except YAML's.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence

from proxy.cli.help import parser
from proxy.errors import SettingsError, reason_of
from proxy.settings.admin_address import DEFAULT, admin_address, first_process

_LONGEST_S = 3600.0
_LONGEST = 200  # characters of an answer
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}


def run(argv: Sequence[str]) -> int:
    """Ask once; print one line. 0: the answer was 200; 1: it was not, and the line says why."""
    arguments_parser = parser("health")
    arguments_parser.add_argument("--admin", metavar="ADDR", help="its admin listener (default: where `run` puts it)")
    arguments_parser.add_argument("--ready", action="store_true", help="ask /readyz: fails during start and drain")
    arguments_parser.add_argument(
        "--app", action="store_true", help="as --ready; also fails if the app accepts no connections"
    )
    arguments_parser.add_argument("--timeout", metavar="SECONDS", type=seconds, default=2.0, help="default 2")
    arguments = arguments_parser.parse_args(argv)
    address = arguments.admin or admin_of("health")
    path = "/readyz?app=1" if arguments.app else "/readyz" if arguments.ready else "/healthz"
    if not address:
        print("ops-sidecar health: the admin listener is off, so nothing can answer", file=sys.stderr)
        return 1
    try:
        status, said = ask(address, path, arguments.timeout)
    except (OSError, ValueError) as error:
        print(f"ops-sidecar health: no answer from {address}{path}: {reason_of(error)}", file=sys.stderr)
        return 1
    print(f"{address}{path} answered {status}{said}")
    return 0 if status == 200 else 1


def seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds, more than 0 and at most {_LONGEST_S:.0f}")
    return seconds


def admin_of(command: str) -> str:
    """The admin listener's address of the sidecar here; empty if it is off.

    The flags of process 1 count most, then the environment and the settings file. `command` is ours, for messages.
    """
    try:
        return admin_address(os.environ, first_process())
    except SettingsError as error:
        print(f"ops-sidecar {command}: {error}", file=sys.stderr)
        return DEFAULT


def ask(address: str, path: str, timeout_s: float, *, host: str = "localhost") -> tuple[int, str]:
    """The status of a GET, and its text if it is not 200. `host`: what the request asks for.

    Raises OSError if nobody answers in time, ValueError on a wrong address or answer.
    """
    with connect(address, timeout_s) as connection:
        connection.settimeout(timeout_s)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("ascii"))
        with connection.makefile("rb") as answer:
            line = answer.readline(256)
            body = (b"\r\n" + answer.peek()).partition(b"\r\n\r\n")[2]  # the part that came at once
    version, status, *_ = [*line.split(), b"", b""]
    if not version.startswith(b"HTTP/1.") or len(status) != 3 or not status.isdigit():
        raise ValueError(f"not an HTTP answer: {line[:60]!r}")
    said = body.decode("ascii", "replace").strip()[:_LONGEST]
    return int(status), f": {said}" if said and status != b"200" and said.isprintable() else ""


def connect(address: str, timeout_s: float) -> socket.socket:
    """A connection to `address`. Raises OSError if nobody accepts it, ValueError on a wrong address."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout_s)
        try:
            connection.connect(address.removeprefix("unix:"))
        except BaseException:
            connection.close()
            raise
        return connection
    host, colon, port = address.removeprefix("http://").rstrip("/").rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError("expected host:port or unix:/path")
    host = host.strip("[]")
    host = _ANYWHERE.get(host, host)
    # As bytes, for speed: for text, Python first loads its tables of other alphabets.
    name: str = host.encode("ascii") if host.isascii() else host  # type: ignore[assignment]  # typeshed knows text only
    return socket.create_connection((name, int(port)), timeout_s)
