"""instrument and uninstrument: by name, helpful about what is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest

import ops_lib as ops


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    calls: list[tuple[str, object]] = []
    module = ModuleType("ops_lib.integrations.fake_client")

    def instrument(**options: object) -> Callable[[], None]:
        calls.append(("instrument", options))
        return lambda: calls.append(("undo", options))

    module.instrument = instrument  # type: ignore[attr-defined]  # made up
    module.uninstrument = lambda: calls.append(("uninstrument", None))  # type: ignore[attr-defined]  # made up
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


def test_by_name(fake: list[tuple[str, object]]) -> None:
    ops.instrument("Fake-Client", allow_hosts=["a"], extra=1)
    ops.uninstrument("fake_client")
    assert fake == [("instrument", {"allow_hosts": ["a"], "extra": 1}), ("uninstrument", None)]


@pytest.mark.parametrize("call", [ops.instrument, ops.uninstrument])
def test_an_unknown_name_lists_the_known_ones(call: object, fake: list[tuple[str, object]]) -> None:
    with pytest.raises(ValueError, match=r"'gopher'; known are: .*httpx") as caught:
        call("fake_client", "gopher")  # type: ignore[operator]  # one of the two above
    assert "requests" in str(caught.value)
    assert fake == []  # none was touched


def test_all_or_nothing(fake: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: object) -> None:
        raise ImportError("not installed")

    module = ModuleType("ops_lib.integrations.broken")
    module.instrument = fail  # type: ignore[attr-defined]  # made up
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(ImportError, match="not installed"):
        ops.instrument("fake_client", "broken")
    assert [name for name, _ in fake] == ["instrument", "undo"]


def test_an_internal_module_is_no_client() -> None:
    with pytest.raises(ValueError, match="known are"):
        ops.instrument("allow_list")


def test_a_missing_framework_tells_its_own_story(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'httpx'", name="httpx")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match="httpx"):
        ops.instrument("httpx")
