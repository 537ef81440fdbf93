"""The tools of a cluster's users, kubectl and helm: as `make kubernetes-tools` fetches them, or as installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "build" / "kubernetes"
Run = Callable[..., str]


def _tool(name: str) -> str:
    fetched = TOOLS / name
    found = str(fetched) if fetched.exists() else shutil.which(name)
    if found is None:
        if os.environ.get("OPS_REQUIRE_KUBERNETES_TOOLS"):
            pytest.fail(f"{name} is missing, although make kubernetes-tools has run")
        pytest.skip(f"{name} is not there: make kubernetes-tools")
    return found


def _runner(name: str, folder: Path) -> Run:
    tool = _tool(name)
    environ = {**os.environ, "HOME": str(folder), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environ |= {f"HELM_{kind}_HOME": str(folder / kind.lower()) for kind in ("CACHE", "DATA", "CONFIG")}

    def run(*arguments: str | Path, text: str | None = None, first_in_path: Path | None = None) -> str:
        command = [tool, *map(str, arguments)]
        env = environ if first_in_path is None else {**environ, "PATH": f"{first_in_path}:{environ['PATH']}"}
        done = subprocess.run(command, input=text, capture_output=True, text=True, env=env, timeout=60, check=False)
        assert done.returncode == 0, f"{name} {arguments}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`kubectl("kustomize", folder)`: what it prints."""
    return _runner("kubectl", tmp_path_factory.mktemp("kubectl"))


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same for `helm`. Its plugins and caches are nobody else's."""
    return _runner("helm", tmp_path_factory.mktemp("helm"))
