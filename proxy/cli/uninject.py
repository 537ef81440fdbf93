"""`ops-sidecar uninject`: takes the sidecar out of manifests again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proxy.cli.help import parser
from proxy.cli.inject import transform


def run(argv: Sequence[str]) -> int:
    """Take it out. 0: done; 2: the manifests are wrong, and nothing was written."""
    from proxy.kubernetes.injection import uninject

    arguments_parser = parser("uninject")
    arguments_parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="manifests (default: stdin)")
    arguments = arguments_parser.parse_args(argv)
    return transform(arguments.files, "uninject", uninject)
