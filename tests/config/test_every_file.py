"""Each file in config/ is run or validated by a test, and the test says so by the file's name."""

from __future__ import annotations

from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
FILES = sorted(str(path.relative_to(CONFIG)) for path in CONFIG.rglob("*") if path.is_file())
# Files that a test takes as one or one by one, without naming them: the test, and how it does so.
TAKEN = {
    "kubernetes/examples/*.yaml": ("kubernetes/test_schemas.py", "ids=lambda path: path.stem"),
    "kubernetes/*/*.yaml": ("kubernetes/test_kustomize.py", 'kubectl("kustomize", KUBERNETES / folder)'),
    "helm/*": ("kubernetes/test_helm.py", 'helm("template"'),
}
WHOLES = ("Chart.yaml", "kustomization.yaml")  # what stands beside one of these is rendered together


@cache
def text_of_tests() -> str:
    """The text of all tests but this one."""
    found = [path for kind in ("py", "sh") for path in (ROOT / "tests").rglob(f"*.{kind}")]
    return "\n".join(path.read_text(encoding="utf-8") for path in found if path != Path(__file__))


def takes(test: str, means: str) -> bool:
    """Whether a test of `TAKEN` is there, and does what is said of it."""
    path = ROOT / "tests" / test
    return path.exists() and means in path.read_text(encoding="utf-8")


def names_of(file: str) -> list[str]:
    """By which names a test may speak of `file`: its own, or the folder of its chart or component."""
    parents = [parent for parent in (CONFIG / file).parents if parent != CONFIG and CONFIG in parent.parents]
    wholes = [parent for parent in parents if any((parent / name).exists() for name in WHOLES)]
    return [file, *(str(whole.relative_to(CONFIG)) for whole in wholes)]


@pytest.mark.parametrize("file", FILES)
def test_a_test_names_it(file: str) -> None:
    """As `config/` says it, without that folder: "systemd/ops-sidecar.service"."""
    if any(fnmatch(file, pattern) and takes(*by) for pattern, by in TAKEN.items()):
        return
    quoted = [f"{quote}{name}{quote}" for name in names_of(file) for quote in ('"', "'")]
    told = [f"config/{name}" for name in names_of(file)]
    assert any(name in text_of_tests() for name in quoted + told), f"no test names config/{file}"
