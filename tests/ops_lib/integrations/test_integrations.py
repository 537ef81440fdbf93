"""The integrations as a whole: importable without any framework, and clear about what is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ops_lib as ops
from ops_lib.integrations import client_spans

FRAMEWORKS = ("aiohttp", "flask", "httpx", "httpcore", "requests", "starlette", "fastapi", "urllib3", "wrapt")

IMPORT_ALL = f"""
import importlib, pkgutil, sys
for name in {(*FRAMEWORKS, "opentelemetry.instrumentation")!r}:
    sys.modules[name] = None
import ops_lib.integrations
names = [found.name for found in pkgutil.iter_modules(ops_lib.integrations.__path__)]
for name in names:
    importlib.import_module("ops_lib.integrations." + name)
print(len(names))
"""


@pytest.mark.slow
def test_importable_without_any_framework() -> None:
    ran = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr == ""
    assert int(ran.stdout) >= 11


@pytest.mark.parametrize("missing", ["library", "instrumentation"])
@pytest.mark.parametrize("name", ["httpx", "requests", "aiohttp", "urllib3"])
def test_what_is_missing_is_named_with_its_command(name: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = {"aiohttp": "aiohttp_client"}.get(name, name)
    blocked = name if missing == "library" else f"opentelemetry.instrumentation.{package}"
    with (
        monkeypatch.context() as patch,
        pytest.raises(ImportError, match=rf"\): '{blocked}' is not installed; pip install 'ops-sidecar\[{name}\]'"),
    ):
        patch.setitem(sys.modules, blocked, None)
        ops.instrument(name)


def test_a_package_that_fails_without_a_name_is_told_by_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ImportError("libssl cannot be opened")

    monkeypatch.setattr(client_spans, "import_module", broken)
    with pytest.raises(ImportError, match="'libssl cannot be opened' is not installed"):
        client_spans.load("httpx", "opentelemetry.instrumentation.httpx", "HTTPXClientInstrumentor")


@pytest.mark.parametrize("name", ["httpx", "requests", "aiohttp", "urllib3"])
def test_what_is_not_installed_is_not_instrumented(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        for module in ("httpx", "httpcore", "requests.adapters", "aiohttp", "urllib3.connection"):
            patch.setitem(sys.modules, module, None)
        ops.uninstrument(name)


def test_a_middleware_without_its_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    from ops_lib.integrations import aiohttp

    wanted = r"aiohttp is not installed; pip install 'ops-sidecar\[aiohttp\]'"
    with monkeypatch.context() as patch, pytest.raises(ImportError, match=wanted):
        patch.setitem(sys.modules, "aiohttp", None)
        aiohttp.middleware()


def test_several_at_once_and_unknown_names() -> None:
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection

    originals = HTTPAdapter.send, HTTPConnection.request
    ops.instrument("requests", "urllib3", allow_hosts=["*.internal"])
    assert HTTPAdapter.send is not originals[0]
    assert HTTPConnection.request is not originals[1]
    ops.uninstrument("requests", "urllib3")
    assert (HTTPAdapter.send, HTTPConnection.request) == originals
    with pytest.raises(ValueError, match=r"aiohttp, .*httpx, requests, .*urllib3"):
        ops.instrument("gopher")
