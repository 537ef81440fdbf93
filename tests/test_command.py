"""The console command where another distribution's `proxy` package stands in the place of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = "import sys; sys.argv[1:] = ['version']; import ops_sidecar; sys.exit(ops_sidecar.main())"
COMMAND = (sys.executable, "-P", "-c", CODE)


def run(*paths: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    return subprocess.run(COMMAND, env=environ, capture_output=True, text=True, timeout=60)


def test_ours_runs() -> None:
    done = run(ROOT)
    assert done.returncode == 0
    assert done.stdout.startswith("ops-sidecar ")


@pytest.mark.parametrize("code", ["__version__ = '2'\n", "raise ImportError('of its own')\n", "import nothing_here\n"])
@pytest.mark.parametrize("as_module", [False, True])
def test_another_is_refused_and_named(tmp_path: Path, code: str, as_module: bool) -> None:
    """proxy.py has a package `proxy`; installed after ours, it stands where ours was."""
    if as_module:
        (tmp_path / "proxy.py").write_text(code, encoding="utf-8")
    else:
        (tmp_path / "proxy").mkdir()
        (tmp_path / "proxy" / "__init__.py").write_text(code, encoding="utf-8")
    info = tmp_path / "proxy.py-2.4.10.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: proxy.py\nVersion: 2.4.10\n", encoding="utf-8")
    (info / "top_level.txt").write_text("proxy\n", encoding="utf-8")
    done = run(tmp_path, ROOT)
    assert done.returncode == 2
    assert "the package `proxy` here belongs to proxy.py 2.4.10" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_without_a_distribution_is_refused_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "proxy.py").write_text("", encoding="utf-8")
    done = run(tmp_path, ROOT)
    assert done.returncode == 2
    assert f"(from {tmp_path}/proxy.py)" in done.stderr
