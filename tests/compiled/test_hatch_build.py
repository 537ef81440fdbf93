"""The build hook: a pure wheel by default, a compiled one where that is asked for, never anything in place."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Any:
    """hatch_build.py as a module, with nothing asked for."""
    monkeypatch.delenv("OPS_SIDECAR_COMPILE", raising=False)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hook(build: Any) -> Any:
    return build.CustomBuildHook(str(ROOT), {}, None, None, str(ROOT), "wheel")


def data() -> dict[str, Any]:
    return {"pure_python": True, "infer_tag": False, "force_include": {}}


def test_every_listed_module_exists(build: Any) -> None:
    missing = [name for name in build.modules() if not (ROOT / (name.replace(".", "/") + ".py")).is_file()]
    assert not missing


@pytest.mark.parametrize("value", [None, "", "0"])
def test_by_default_the_wheel_is_pure_and_needs_nothing(
    build: Any, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("OPS_SIDECAR_COMPILE", value)
    found = data()
    hook(build).initialize("standard", found)
    assert found == data()
    assert hook(build).dependencies() == []


def test_asked_for_the_extensions_go_along(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each beside its source, in a wheel for this platform; the tree that they were made in goes."""
    trees = []

    def compile_into(tree: Path) -> list[Path]:
        trees.append(tree)
        return [tree / "proxy" / "translate.so"]

    monkeypatch.setenv("OPS_SIDECAR_COMPILE", "1")
    monkeypatch.setattr(build, "compile_into", compile_into)
    found, asked = data(), hook(build)
    asked.initialize("standard", found)
    assert list(found["force_include"].values()) == ["proxy/translate.so"]
    assert (found["pure_python"], found["infer_tag"]) == (False, True)
    assert any(name.startswith("mypy") for name in asked.dependencies())
    asked.finalize("standard", found, "")
    assert not trees[0].exists()


def test_an_installation_in_place_is_never_compiled(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_SIDECAR_COMPILE", "1")
    found = data()
    hook(build).initialize("editable", found)
    assert found == data()


def test_without_mypyc_it_says_so(
    build: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build.sys, "executable", "/bin/false")  # stands for a Python that cannot compile
    assert build.main([str(tmp_path)]) == 1
    assert "nothing compiled" in capsys.readouterr().err
