"""`ops-sidecar version`. Works without the `sidecar` extra."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from importlib.util import find_spec

from proxy.cli.help import parser

_COMPILED_WHERE_ANY_IS = "proxy.translate"  # of the dependencies in pyproject.toml, found without importing anything
_PACKAGES = ("httptools", "uvloop", "h11", "aiohttp", "pydantic-settings", "PyYAML", "opentelemetry-api")


def run(argv: Sequence[str]) -> int:
    """Print the versions of ops-sidecar and its dependencies, and whether it is compiled."""
    arguments_parser = parser("version")
    arguments_parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = arguments_parser.parse_args(argv)
    found = {"ops-sidecar": _version("ops-sidecar"), "python": platform.python_version()}
    found |= {package: _version(package) for package in _PACKAGES}
    compiled, jit = _is_compiled(), _jit()
    if arguments.json:
        print(json.dumps({**found, "compiled": compiled, "jit": jit}))
    else:
        print(f"ops-sidecar {found['ops-sidecar'] or '(run from its sources, not installed)'}")
        print(f"  compiled: {'yes' if compiled else 'no'}")
        if jit is not None:
            print(f"  jit: {'on' if jit else 'off (PYTHON_JIT=1 switches it on; what is compiled does not need it)'}")
        for name, version in list(found.items())[1:]:
            print(f"  {name} {version or '(not installed)'}")
    return 0


def _is_compiled() -> bool:
    """Whether the data plane runs as machine code (hatch_build.py)."""
    spec = find_spec(_COMPILED_WHERE_ANY_IS)
    return spec is not None and isinstance(spec.loader, ExtensionFileLoader)


def _jit() -> bool | None:
    """Whether Python compiles what it runs often (CPython 3.14 and newer); None where it cannot."""
    jit = getattr(sys, "_jit", None)
    return bool(jit.is_enabled()) if jit is not None and jit.is_available() else None


def _version(package: str) -> str | None:
    try:
        return installed_version(package)
    except PackageNotFoundError:
        return None
