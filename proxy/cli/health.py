"""`ops-sidecar health`: asks a running sidecar whether it is well; for the health checks of containers.

It runs every few seconds, and so it stays cheap: the settings are loaded only where the default may not hold.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence

from proxy.cli.help import parser

_DEFAULT = "127.0.0.1:9082"  # as in proxy.settings.models
_LONGEST_S = 3600.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}


def run(argv: Sequence[str]) -> int:
    """Ask once; print one line. 0: it answered 200; 1: it did not, and why."""
    arguments_parser = parser("health")
    arguments_parser.add_argument("--admin", metavar="ADDR", help="its admin listener (default: where `run` puts it)")
    arguments_parser.add_argument("--ready", action="store_true", help="ask /readyz: no while it starts or drains")
    arguments_parser.add_argument("--timeout", metavar="SECONDS", type=_seconds, default=2.0, help="default 2")
    arguments = arguments_parser.parse_args(argv)
    address = arguments.admin or _admin_address()
    path = "/readyz" if arguments.ready else "/healthz"
    if not address:
        print("ops-sidecar health: the admin listener is off, there is nobody to ask", file=sys.stderr)
        return 1
    try:
        status = _ask(address, path, arguments.timeout)
    except (OSError, ValueError) as error:
        print(f"ops-sidecar health: no answer from {address}{path}: {error}", file=sys.stderr)
        return 1
    print(f"{address}{path} answered {status}")
    return 0 if status == 200 else 1


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds, more than 0 and at most {_LONGEST_S:.0f}")
    return seconds


def _admin_address() -> str:
    """The admin listener's address from the environment, the settings file, or the default; empty where it is off."""
    if not os.environ.get("OPS_SIDECAR_ADMIN__LISTEN") and not os.environ.get("OPS_SIDECAR_CONFIG"):
        return _DEFAULT
    from proxy.errors import SettingsError
    from proxy.settings import load

    try:
        listen = load(environ=os.environ).settings.admin.listen
    except SettingsError as error:
        print(f"ops-sidecar health: {error}", file=sys.stderr)
        return _DEFAULT
    return str(listen) if listen else ""


def _ask(address: str, path: str, timeout_s: float) -> int:
    """The status of a GET. Raises OSError where nobody answers in time, ValueError on a wrong address or answer."""
    with _connect(address, timeout_s) as connection:
        connection.settimeout(timeout_s)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("ascii"))
        with connection.makefile("rb") as answer:
            line = answer.readline(256)
    version, _, rest = line.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ValueError(f"no HTTP answer but {line[:60]!r}")
    return int(rest[:3])


def _connect(address: str, timeout_s: float) -> socket.socket:
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
    return socket.create_connection((_ANYWHERE.get(host, host), int(port)), timeout_s)
