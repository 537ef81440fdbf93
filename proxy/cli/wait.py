"""`ops-sidecar wait`: waits until the sidecar, its app or other services are there. For compose and init scripts.

Knows how to ask, not what is asked for. Imports little, as `health` does.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from proxy.cli.health import admin_of, ask, connect, seconds
from proxy.cli.help import parser
from proxy.errors import reason_of

_ATTEMPT_S = 2.0  # one attempt
_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)  # between attempts; the last one again and again


class Awaited(NamedTuple):
    """What is waited for: its name, and an attempt that returns nothing or raises OSError or ValueError."""

    name: str
    attempt: Callable[[float], None]


def run(argv: Sequence[str]) -> int:
    """Wait for everything that is named, one after the other. 0: all are there; 1: the time is over."""
    own, dashes, command = _parted(argv)
    arguments_parser = parser("wait")
    arguments_parser.add_argument("--admin", metavar="ADDR", help="the sidecar's admin listener (default: as `health`)")
    arguments_parser.add_argument("--app", action="store_true", help="its app must accept connections as well")
    arguments_parser.add_argument(
        "--for",
        dest="others",
        metavar="WHERE",
        action="append",
        default=[],
        help="another service: host:port or unix:/path (accepts connections), http://host:port/path (answers 2xx)",
    )
    arguments_parser.add_argument("--no-sidecar", action="store_true", help="do not wait for the sidecar itself")
    arguments_parser.add_argument("--timeout", metavar="SECONDS", type=seconds, default=60.0, help="default 60")
    arguments = arguments_parser.parse_args(own)
    if arguments.no_sidecar and (arguments.app or not arguments.others):
        arguments_parser.error("--no-sidecar needs --for, and excludes --app, which the sidecar answers")
    if dashes and not command:
        arguments_parser.error("expected a command after --")
    awaited = [] if arguments.no_sidecar else [_sidecar(arguments.admin, is_app=arguments.app)]
    try:
        awaited += [_other(where) for where in arguments.others]
    except ValueError as error:
        arguments_parser.error(str(error))
    if not _wait(awaited, time.monotonic() + arguments.timeout, arguments.timeout):
        return 1
    if command:
        return _become(command)
    return 0


def _parted(argv: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    """Our own arguments, whether there is a `--`, and the command behind it."""
    words = list(argv)
    if "--" not in words:
        return words, False, []
    at = words.index("--")
    return words[:at], True, words[at + 1 :]


def _sidecar(admin: str | None, *, is_app: bool) -> Awaited:
    def attempt(timeout_s: float) -> None:
        address = admin or admin_of("wait")
        if not address:
            raise ValueError("the admin listener is off, so nothing can answer")
        status, said = ask(address, "/readyz?app=1" if is_app else "/readyz", timeout_s)
        if status != 200:
            raise ValueError(f"{address} answered {status}{said}")

    return Awaited("the sidecar and its app" if is_app else "the sidecar", attempt)


def _other(where: str) -> Awaited:
    """Raises ValueError if `where` is not an address."""
    scheme, separator, rest = where.partition("://")
    if not separator:
        host, colon, port = where.rpartition(":")
        if not where.startswith("unix:/") and not (host and colon and port.isdecimal() and int(port) <= 65535):
            raise ValueError(f"--for {where}: expected host:port, unix:/path or http://host:port/path")
        return Awaited(where, lambda timeout_s: connect(where, timeout_s).close())
    authority, slash, path = rest.partition("/")
    if scheme != "http" or not authority:
        raise ValueError(f"--for {where}: expected host:port, unix:/path or http://host:port/path")
    address = authority if authority.rpartition(":")[2].isdecimal() and ":" in authority else f"{authority}:80"

    def attempt(timeout_s: float) -> None:
        status, said = ask(address, f"{slash or '/'}{path}", timeout_s, host=authority)
        if not 200 <= status < 300:
            raise ValueError(f"answered {status}{said}")

    return Awaited(where, attempt)


def _wait(awaited: Sequence[Awaited], until: float, timeout_s: float) -> bool:
    """Whether all of them are there by `until`; says what is missing."""
    for one in awaited:
        pauses = iter(_PAUSES_S)
        while True:
            left_s = until - time.monotonic()
            try:
                one.attempt(min(_ATTEMPT_S, max(left_s, 0.05)))
                break
            except (OSError, ValueError) as error:
                reason = reason_of(error)
            left_s = until - time.monotonic()
            if left_s <= 0:
                print(
                    f"ops-sidecar wait: {one.name} is not there after {timeout_s:g} s: {reason}",
                    file=sys.stderr,
                )
                return False
            time.sleep(min(left_s, next(pauses, _PAUSES_S[-1])))
    return True


def _become(command: list[str]) -> int:
    """Replace this process by `command`; returns only if that fails."""
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"ops-sidecar wait: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126
