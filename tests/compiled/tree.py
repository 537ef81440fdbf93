"""That `make test-compiled` runs what is compiled, also in the processes that tests start. Not part of `make test`."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
HAS_GC = 1 << 14  # Py_TPFLAGS_HAVE_GC
MODULES: list[str] = tomllib.loads(PYPROJECT.read_text())["tool"]["ops-sidecar"]["compile"]["modules"]


@pytest.mark.parametrize("name", MODULES)
def test_every_listed_module_is_an_extension(name: str) -> None:
    assert (import_module(name).__file__ or "").endswith(".so")


def test_so_it_is_in_a_process_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "proxy", "version", "--json"], capture_output=True, check=True, timeout=30
    )
    assert json.loads(done.stdout)["compiled"] is True


@pytest.mark.parametrize("name", MODULES)
def test_the_garbage_collector_sees_every_object(name: str) -> None:
    """Others must not be freed deep inside of something: see `proxy.compiling`."""
    classes = [each for each in vars(import_module(name)).values() if isinstance(each, type)]
    unseen = [each for each in classes if each.__module__ == name and not each.__flags__ & HAS_GC]
    assert [each.__name__ for each in unseen if not is_trait(each)] == []


def is_trait(made: type) -> bool:
    """It has no objects of its own."""
    try:
        made()
    except TypeError as error:
        return "traits" in str(error)
    return False
