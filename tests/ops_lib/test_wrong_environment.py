"""A wrong MIRASCOPE_PROPAGATOR shows when an app is imported or started, by one line, and never inside a request."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import ops_lib as ops

AT_IMPORT = {
    "a decorated function": "import ops_lib as ops\n@ops.trace\ndef f(): pass",
    "the name of a function": "from ops_lib import inject_context",
    "a block": "from ops_lib import propagated_context",
    "an executor": "from ops_lib import ContextExecutor",
    "configure": "import ops_lib as ops\nops.configure(exporter='none')",
    "instrument": "import ops_lib as ops\nops.instrument('httpx')",
    "ASGI": "from ops_lib.integrations.asgi import TraceMiddleware\nTraceMiddleware(None)",
    "WSGI": "from ops_lib.integrations.wsgi import TraceMiddleware\nTraceMiddleware(None)",
    "aiohttp": "from ops_lib.integrations.aiohttp import middleware\nmiddleware()",
    "Flask": "import flask\nfrom ops_lib.integrations.flask import instrument_app\ninstrument_app(flask.Flask('a'))",
}


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OPS_", "MIRASCOPE_"))}
    return subprocess.run([sys.executable, "-c", code], env=inherited | environ, capture_output=True, text=True)


@pytest.mark.parametrize("code", AT_IMPORT.values(), ids=AT_IMPORT)
def test_it_fails_at_import_or_start(code: str) -> None:
    last = run(code, MIRASCOPE_PROPAGATOR="zipkin").stderr.splitlines()[-1]
    assert "MIRASCOPE_PROPAGATOR" in last
    assert last.endswith("did you mean b3 or b3multi?")


def test_what_an_app_has_set_itself_is_in_force() -> None:
    code = (
        "import ops_lib as ops\nops.set_propagator(ops.ContextPropagator(inject='b3'))\nops.trace\nops.inject_context"
    )
    assert run(code, MIRASCOPE_PROPAGATOR="zipkin").returncode == 0


@pytest.mark.parametrize("code", ["import ops_lib", "import ops_lib.propagation", "import ops_lib.pytest_plugin"])
def test_who_does_not_use_it_is_not_told(code: str) -> None:
    """The sidecar says it in its own words; a test run is not to end before it begins."""
    assert run(code, MIRASCOPE_PROPAGATOR="zipkin").returncode == 0


@pytest.mark.parametrize(
    "name",
    ["ContextExecutor", "context_carry", "extract_context", "extract_session_id", "inject_context", "instrument",
     "propagated_context", "trace"],
)  # fmt: skip
def test_each_name_that_an_app_uses_at_its_start_shows_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first use of the name, which is kept only if all is well."""
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "zipkin")
    monkeypatch.delitem(vars(ops), name, raising=False)
    ops.reset_propagator()
    with pytest.raises(ops.ConfigurationError, match="MIRASCOPE_PROPAGATOR"):
        getattr(ops, name)
    monkeypatch.setenv("MIRASCOPE_PROPAGATOR", "b3")
    assert getattr(ops, name) is vars(ops)[name]
