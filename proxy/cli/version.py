"""`ops-sidecar version`. Works with the base alone."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

from proxy.cli.help import parser

_PACKAGES = ("httptools", "uvloop", "aiohttp", "pydantic-settings", "PyYAML", "opentelemetry-api")


def run(argv: Sequence[str]) -> int:
    """Print the version of ops-sidecar, of Python, and of what is installed with it."""
    arguments_parser = parser("version")
    arguments_parser.add_argument("--json", action="store_true", help="as one JSON object")
    arguments = arguments_parser.parse_args(argv)
    found = {"ops-sidecar": _version("ops-sidecar"), "python": platform.python_version()}
    found |= {package: _version(package) for package in _PACKAGES}
    if arguments.json:
        print(json.dumps(found))
    else:
        print(f"ops-sidecar {found['ops-sidecar']}")
        for name, version in list(found.items())[1:]:
            print(f"  {name} {version or '(not installed)'}")
    return 0


def _version(package: str) -> str | None:
    try:
        return installed_version(package)
    except PackageNotFoundError:
        return None
