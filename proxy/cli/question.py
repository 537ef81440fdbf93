"""Flags that say who sends a request, and where it goes. Knows their names, not their meaning."""

from __future__ import annotations

import argparse


def add_question_flags(to: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --peer, --peer-name, --listener and --host."""
    to.add_argument("--peer", metavar="ADDRESS", default="", help="who sends the request, for the rules of trust")
    to.add_argument(
        "--peer-name", metavar="NAME", action="append", default=[], help="a name in its certificate; repeatable"
    )
    to.add_argument("--listener", metavar="NAME", default="", help="only this listener (default: all)")
    to.add_argument("--host", metavar="HOST[:PORT]", default="", help="where an outbound request goes, for egress")
