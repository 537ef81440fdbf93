"""`ops-sidecar translate`: translates headers from one format to another. Works without the `sidecar` extra."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from ops_lib.propagation import (
    FAMILIES,
    FORMAT_NAMES,
    FORMATS,
    SESSION_EXTRACT_NAMES,
    SESSION_INJECT_NAME,
    Format,
    Propagator,
    UnknownFamilyError,
    UnknownFormatError,
    check_session_header,
    parse_families,
    parse_formats,
)
from proxy.cli.help import parser
from proxy.cli.question import add_question_flags
from proxy.explain.diagnosis import diagnose
from proxy.explain.headers import HeaderInputError, from_input
from proxy.explain.reading import as_json, explain

PROPAGATOR_VARIABLE = "MIRASCOPE_PROPAGATOR"  # as in proxy.settings.layers


def run(argv: Sequence[str]) -> int:
    """Translate once. 0: done; 1: found nothing to translate; 2: the input cannot be read."""
    arguments_parser = _parser()
    arguments = arguments_parser.parse_args(argv)
    if arguments.config is not None or arguments.peer or arguments.peer_name or arguments.listener or arguments.host:
        return _explain_settings(arguments, arguments_parser)
    try:
        propagator = _propagator(arguments)
        clear = parse_families(name for name in arguments.clear.split(",") if name.strip())
        if not arguments.headers and sys.stdin.isatty():
            arguments_parser.error("give headers as arguments, or on standard input")
        headers = from_input(arguments.headers, sys.stdin.buffer if not arguments.headers else None)
    except (UnknownFamilyError, UnknownFormatError, HeaderInputError) as error:
        arguments_parser.error(str(error))
    extraction = propagator.extract(propagator.fields(headers))
    injection = propagator.inject(extraction)
    if arguments.json:
        print(json.dumps(as_json(headers, extraction, injection, propagator, clear), indent=2))
    elif arguments.explain:
        print(explain(headers, extraction, injection, propagator, clear))
    else:
        for name, value in injection.headers:
            print(f"{name}: {value}")
        for format, reason in extraction.malformed:
            what = diagnose(format, propagator.fields(headers))
            print(f"ops-sidecar: {format} is malformed: {reason}{f': {what}' if what else ''}", file=sys.stderr)
        if extraction.session_malformed:
            print(f"ops-sidecar: the session id is malformed: {extraction.session_malformed}", file=sys.stderr)
        for format, loss in injection.losses:
            print(f"ops-sidecar: {format} cannot say: {loss}", file=sys.stderr)
    if injection.headers:
        return 0
    seen = ", ".join(sorted({name for name, _ in headers})) or "none"
    print(f"ops-sidecar: no valid trace or session header found (headers read: {seen})", file=sys.stderr)
    return 1


def _explain_settings(arguments: argparse.Namespace, arguments_parser: argparse.ArgumentParser) -> int:
    """`--explain` by settings: who is believed, and what leaves for whom, as `ops-sidecar explain` says it."""
    if not arguments.explain:
        arguments_parser.error("--config, --peer, --peer-name, --listener and --host go with --explain")
    by_settings = import_module("proxy.cli.explain")  # needs the `sidecar` extra
    argv = ["--peer", arguments.peer, "--listener", arguments.listener, "--host", arguments.host]
    argv += [part for name in arguments.peer_name for part in ("--peer-name", name)]
    argv += ["--config", arguments.config] if arguments.config is not None else []
    return int(by_settings.run([*argv, "--", *arguments.headers]))


def _parser() -> argparse.ArgumentParser:
    made = parser("translate")
    made.add_argument("headers", metavar="'NAME: VALUE'", nargs="*", help="headers (default: read standard input)")
    made.add_argument(
        "--to", metavar="LIST", help=f"formats to write (default tracecontext, or what {PROPAGATOR_VARIABLE} says)"
    )
    made.add_argument(
        "--from",
        dest="extract",
        metavar="LIST",
        default=",".join(FORMATS),
        help="formats to read, in order (default: all)",
    )
    made.add_argument("--session", metavar="NAME", default=SESSION_INJECT_NAME, help="session header to write")
    made.add_argument("--session-from", metavar="LIST", help="session headers to read, in order")
    made.add_argument("--session-bridge", action="store_true", help="carry the session as baggage session.id, too")
    made.add_argument(
        "--baggage",
        choices=("translate", "pass", "drop"),
        default="translate",
        help="W3C baggage and Jaeger's uberctx-* (default: translate)",
    )
    made.add_argument(
        "--on-defer",
        metavar="WHAT",
        default="accept",
        help="what `no decision` becomes in formats that cannot say it: accept (default), deny, or a ratio such as 0.1",
    )
    made.add_argument("--no-lossless", action="store_true", help="write no `ops=` member into tracestate")
    made.add_argument(
        "--clear",
        metavar="LIST",
        default="",
        help=f"families that are not translated, to be removed: {', '.join(FAMILIES)}",
    )
    settings = made.add_argument_group("with --explain: what a sidecar with these settings would do")
    settings.add_argument("--config", metavar="FILE", help="a settings file")
    add_question_flags(settings)
    output = made.add_mutually_exclusive_group()
    output.add_argument("--explain", action="store_true", help="print a table: formats read, the winner, losses")
    output.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def _formats_to_write(arguments: argparse.Namespace) -> tuple[Format, ...]:
    """As for `run`: the flag, else the environment, else the default. Raises UnknownFormatError."""
    if arguments.to is not None:
        return parse_formats(arguments.to)
    try:
        return parse_formats(os.environ.get(PROPAGATOR_VARIABLE, "")) or (Format.TRACECONTEXT,)
    except UnknownFormatError as error:
        raise UnknownFormatError(f"environment variable {PROPAGATOR_VARIABLE}: {error}") from None


def _session_names(text: str) -> list[str]:
    """As in the settings: not a header with another meaning. Raises HeaderInputError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        try:
            check_session_header(name)
        except ValueError as error:
            raise HeaderInputError(f"{name[:60]!r}: {error}") from None
    return names


def _on_defer(text: str) -> float:
    """The ratio of traces to accept. Raises HeaderInputError."""
    try:
        ratio = float({"accept": 1, "deny": 0}.get(text, text))
    except ValueError:
        ratio = -1
    if not 0 <= ratio <= 1:
        raise HeaderInputError(f"--on-defer {text!r}: expected accept, deny, or a ratio from 0 to 1")
    return ratio


def _propagator(arguments: argparse.Namespace) -> Propagator:
    extract, inject = parse_formats(arguments.extract), _formats_to_write(arguments)
    if not extract or not inject:
        raise UnknownFormatError(f"expected at least one format of {', '.join(FORMAT_NAMES)}")
    session = _session_names(arguments.session_from) if arguments.session_from is not None else SESSION_EXTRACT_NAMES
    written = _session_names(arguments.session)
    if len(written) != 1:
        raise HeaderInputError(f"--session {arguments.session!r}: expected one header name")
    return Propagator(
        extract=extract,
        inject=inject,
        session_bridge=arguments.session_bridge,
        baggage=arguments.baggage,
        on_defer=_on_defer(arguments.on_defer),
        lossless=not arguments.no_lossless,
        session_inject=written[0],
        session_extract=session,
    )
