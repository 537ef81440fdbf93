"""Compiles the hot modules ahead of time with mypyc. Optional: without it the very same files run as they are.

    python hatch_build.py DIRECTORY     a copy of proxy/ and ops_lib/ in DIRECTORY, compiled (`make compiled`)
    OPS_SIDECAR_COMPILE=1 pip wheel .   a wheel with the compiled modules, for this platform and this Python

The second is a build hook of hatchling; without the variable the wheel is the pure one. Needs mypy, setuptools and a C
compiler with Python's headers. pyproject.toml (`tool.ops-sidecar.compile`) says which modules are compiled. Nothing
is ever compiled in the checkout itself, where an extension left behind would shadow its source.
docs/decisions/007-compiled.md says why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
VARIABLE = "OPS_SIDECAR_COMPILE"
_PACKAGES = ("proxy", "ops_lib")
_NEEDED = ["mypy>=2.2", "setuptools>=75"]
_SUFFIX = ".so"
# Without these, each call inside the extension goes by a table that others could change, and none is put in line.
_BY_GCC = ["-fvisibility=hidden", "-fno-semantic-interposition", "-fno-plt", "-flto"]


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds the compiled modules to a wheel, where that is asked for."""

    def dependencies(self) -> list[str]:
        """What pip has to provide beside hatchling."""
        return list(_NEEDED) if _is_asked_for() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """`version` is "standard", or "editable" for an installation in place, which stays as it is."""
        if version == "editable" or not _is_asked_for():
            return
        self._directory = tempfile.TemporaryDirectory(prefix="ops-sidecar-compile-")
        tree = Path(self._directory.name)
        for extension in compile_into(tree):
            build_data["force_include"][str(extension)] = str(extension.relative_to(tree))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """The wheel is written."""
        if hasattr(self, "_directory"):
            self._directory.cleanup()


def _is_asked_for() -> bool:
    return os.environ.get(VARIABLE, "0") not in ("", "0")


def modules() -> list[str]:
    """The modules to compile, in dotted form."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        listed: list[str] = tomllib.load(file)["tool"]["ops-sidecar"]["compile"]["modules"]
    return listed


def compile_into(directory: Path) -> list[Path]:
    """Copy the packages to `directory` and compile them there; the extensions. Raises CalledProcessError."""
    for package in _PACKAGES:
        shutil.rmtree(directory / package, ignore_errors=True)
        shutil.copytree(ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))
    for stale in directory.glob(f"*{_SUFFIX}"):
        stale.unlink()
    # In a process of its own: mypyc and setuptools go by the current directory, and end the process where they fail.
    subprocess.run([sys.executable, __file__, "--here", *modules()], cwd=directory, check=True)
    return sorted(directory.rglob(f"*{_SUFFIX}"))


def _compile_here(names: list[str]) -> None:
    """Compile modules of the current directory, each extension beside its source."""
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    paths = [name.replace(".", "/") + ".py" for name in names]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    flags = ["--config-file=", "--strict", "--ignore-missing-imports", "--follow-imports=silent"]
    flags += [f"--python-version={python}", "--cache-dir=.mypy_cache"]
    # One group: calls between compiled modules are plain C calls.
    extensions = mypycify([*flags, *paths], opt_level="3", debug_level="0", group_name="ops_sidecar")
    if sys.platform == "linux" and "gcc" in (os.environ.get("CC") or sysconfig.get_config_var("CC") or ""):
        for extension in extensions:
            if extension.name.endswith("__mypyc"):  # the others only lead to this one
                extension.extra_compile_args = [*extension.extra_compile_args, *_BY_GCC]  # all share one list
                extension.extra_link_args = ["-O3", "-flto=auto"]
    command = build_ext(Distribution({"name": "ops-sidecar", "ext_modules": extensions}))
    command.inplace = False
    command.build_lib = "."
    command.build_temp = "build"
    command.ensure_finalized()
    command.run()
    shutil.rmtree("build")
    shutil.rmtree(".mypy_cache", ignore_errors=True)


def main(arguments: list[str]) -> int:
    """`--here MODULE...` is the second half of the first form, and nobody else's."""
    if arguments[:1] == ["--here"]:
        _compile_here(arguments[1:])
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write(__doc__ or "")
        return 2
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    try:
        extensions = compile_into(directory)
    except subprocess.CalledProcessError:
        sys.stderr.write("nothing compiled, see above\n")
        return 1
    sys.stdout.write(f"{len(extensions)} extensions in {directory}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
