"""`ops-sidecar explain`: what a sidecar with these settings would make of a request's headers."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from proxy.cli.flags import add_settings_flags, collect_flags
from proxy.cli.help import parser
from proxy.cli.problems import print_problems
from proxy.cli.question import add_question_flags
from proxy.errors import SettingsError, reason_of
from proxy.explain.by_plan import Question, UnknownListenerError, as_json, as_text, explain
from proxy.explain.headers import HeaderInputError, from_input
from proxy.explain.question import QuestionError, question_of
from proxy.plan.compile import compile_plan
from proxy.settings import load


def run(argv: Sequence[str]) -> int:
    """Explain once. 0: done; 2: wrong settings or arguments."""
    arguments_parser = parser("explain")
    arguments_parser.add_argument(
        "headers", metavar="'NAME: VALUE'", nargs="*", help="headers (default: read standard input)"
    )
    add_question_flags(arguments_parser)
    add_settings_flags(arguments_parser)
    arguments_parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = arguments_parser.parse_args(argv)
    if not arguments.headers and sys.stdin.isatty():
        arguments_parser.error("give headers as arguments, or on standard input")
    try:
        headers = from_input(arguments.headers, sys.stdin.buffer if not arguments.headers else None)
        question = question_of(arguments.peer, arguments.peer_name, arguments.listener, arguments.host)
        return _explain(headers, question, arguments)
    except (HeaderInputError, QuestionError, UnknownListenerError) as error:
        arguments_parser.error(str(error))


def _explain(headers: list[tuple[str, str]], question: Question, arguments: argparse.Namespace) -> int:
    """Print the answer of the settings that `arguments` say. Returns the exit code. Raises UnknownListenerError."""
    flags, wrong = collect_flags(arguments)
    try:
        settings = load(arguments.config, environ=os.environ, flags=flags, wrong=wrong).settings
        answers = explain(compile_plan(settings, 1), headers, question)
    except SettingsError as error:
        print_problems(error)
        return 2
    except OSError as error:
        print(f"ops-sidecar: a certificate cannot be read: {reason_of(error)}", file=sys.stderr)
        return 2
    print(json.dumps(as_json(answers), indent=2) if arguments.json else as_text(answers))
    return 0
