"""`ops-sidecar redirect`: sets the kernel's rules that bring an app's connections to its sidecar."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from proxy.cli.help import parser
from proxy.kubernetes.redirection import EXEMPT, no_rules, parse_networks, parse_redirection, rules

T = TypeVar("T")
_PATIENCE_S = 30.0


def run(argv: Sequence[str]) -> int:
    """Set the rules. 0: set, or printed; 1: nft is missing or has refused; 2: wrong arguments."""
    arguments_parser = parser("redirect")
    both = {"metavar": "PORT,...:PORT", "type": _read(parse_redirection)}
    arguments_parser.add_argument("--inbound", help="connections to the app, and the inbound listener's port", **both)  # type: ignore[arg-type]  # of typeshed's many overloads
    arguments_parser.add_argument("--outbound", help="calls of the app, and the outbound listener's port", **both)  # type: ignore[arg-type]  # of typeshed's many overloads
    arguments_parser.add_argument(
        "--uid", metavar="NUMBER", type=_read(_user), help="the sidecar's user, whose own connections are left alone"
    )
    arguments_parser.add_argument(
        "--exempt",
        metavar="CIDR,...",
        type=_read(parse_networks),
        default=(),
        help=f"calls to these networks are left alone, besides {', '.join(EXEMPT)}",
    )
    arguments_parser.add_argument(
        "--family",
        choices=("ipv4", "dual"),
        default="dual",
        help="ipv4: IPv6 stays as it is (default dual)",
    )
    arguments_parser.add_argument("--undo", action="store_true", help="take the rules away")
    arguments_parser.add_argument("--print", action="store_true", help="print the rules for nft, and change nothing")
    arguments = arguments_parser.parse_args(argv)
    if arguments.undo:
        text = no_rules()
    elif arguments.inbound is None and arguments.outbound is None:
        arguments_parser.error("give --inbound, --outbound, or --undo")
    elif arguments.outbound is not None and arguments.uid is None:
        arguments_parser.error("--outbound needs --uid: without it the sidecar's own calls would come back to it")
    else:
        exempt = (*EXEMPT, *arguments.exempt)
        text = rules(
            arguments.inbound,
            arguments.outbound,
            uid=arguments.uid or 0,
            exempt=exempt,
            ipv4_only=arguments.family == "ipv4",
        )
    if arguments.print:
        sys.stdout.write(text)
        return 0
    return _set(text)


def _set(text: str) -> int:
    """Give the rules to nft, which sets all of them or none."""
    try:
        done = subprocess.run(
            ["nft", "--file", "-"], input=text, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except FileNotFoundError:
        print("ops-sidecar redirect: nft is not installed (Debian's package nftables)", file=sys.stderr)
        return 1
    except subprocess.TimeoutExpired:
        print(f"ops-sidecar redirect: nft did not end within {_PATIENCE_S:.0f} s", file=sys.stderr)
        return 1
    if done.returncode:
        said = done.stderr.strip().splitlines()
        hint = "; this takes root and the capability NET_ADMIN" if "not permitted" in done.stderr else ""
        print(f"ops-sidecar redirect: nft refused: {said[0] if said else done.returncode}{hint}", file=sys.stderr)
        return 1
    return 0


def _read(parse: Callable[[str], T]) -> Callable[[str], T]:
    """The same, with a message for the command line."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _user(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 2**32):
        raise ValueError(f"{text!r}: expected the number of a user")
    return int(text)
