"""The public face: every name is there, documented, light to import, and free of what is not installed.

Its types are in test_public_types.py.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import ops_lib as ops
from ops_lib import testing

ISSUE = [
    "SESSION_HEADER_NAME",
    "AsyncTrace",
    "ContextPropagator",
    "PropagatorFormat",
    "SessionContext",
    "Span",
    "Trace",
    "configure",
    "context_carry",
    "current_session",
    "extract_context",
    "flush",
    "get_propagator",
    "inject_context",
    "instrument",
    "propagated_context",
    "reset_propagator",
    "session",
    "set_propagator",
    "shutdown",
    "span",
    "trace",
    "tracer_context",
    "uninstrument",
]

# What the base install does not have. `requests` comes with the OTLP extra.
NOT_BASE = [
    "aiohttp",
    "uvloop",
    "httptools",
    "h11",
    "pydantic",
    "pydantic_settings",
    "yaml",
    "requests",
    "httpx",
    "flask",
    "fastapi",
    "google.protobuf",
]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_everything_promised_is_there() -> None:
    assert set(ISSUE) <= set(ops.__all__)
    assert set(ops.__all__) <= set(dir(ops))
    for name in ops.__all__:
        getattr(ops, name)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        ops.nonsense  # type: ignore[attr-defined]  # noqa: B018  # this is the test


def test_the_lists_of_names_agree() -> None:
    """`__all__`, what is loaded on demand, and what type checkers see."""
    made = {name for names in ops._MADE_IN.values() for name in names}
    assert made | {"ops"} == set(ops.__all__)
    source = Path(inspect.getfile(ops)).read_text()
    block = source[source.index("if TYPE_CHECKING:") : source.index("else:\n")]
    for name in ops.__all__:
        assert re.search(rf"\b{name}\b", block), name


def test_no_module_has_the_name_of_a_public_function() -> None:
    """`ops_lib.span` is the function, whatever has been imported before."""
    modules = {path.stem for path in Path(inspect.getfile(ops)).parent.iterdir()}
    assert not modules & set(ops.__all__)


def test_imported_either_way() -> None:
    from ops_lib import ops as other

    assert other is ops
    assert run("from ops_lib import ops, span; print(ops.span is span)") == "True"
    assert run("from ops_lib import *; print(span.__name__, ops.__name__)") == "span ops_lib"


@pytest.mark.parametrize(
    "name", [*(name for name in ops.__all__ if name != "ops"), *(f"testing.{n}" for n in testing.__all__)]
)
def test_docstrings_say_what_they_take_give_raise_and_follow(name: str) -> None:
    value = getattr(testing, name.removeprefix("testing.")) if name.startswith("testing.") else getattr(ops, name)
    if name in ("SESSION_HEADER_NAME", "PropagatorFormat"):  # values: their documentation stands below them
        module = ops._MODULE_OF[name].replace(".", "/")
        source = (Path(inspect.getfile(ops)).parent / f"{module}.py").read_text()
        after = source[source.index(f"\n{name}") :].split('"""')[1]
        assert "docs/formats.md" in after
        return
    text = inspect.getdoc(value)
    assert text
    if isinstance(value, type) and issubclass(value, Exception):
        return  # says when it is raised
    for word in ("Takes", "Gives", "Raises", "Specification:"):
        assert word in text, f"{name} does not say {word}"


@pytest.mark.parametrize(
    "name", ["Span", "Trace", "AsyncTrace", "ContextPropagator", "TracedFunction", "ContextExecutor"]
)
def test_every_public_method_has_a_docstring(name: str) -> None:
    cls = getattr(ops, name)
    for method, value in vars(cls).items():
        if not method.startswith("_") and (callable(value) or isinstance(value, (property, classmethod))):
            assert inspect.getdoc(value), f"{name}.{method}"


def test_nothing_is_imported_before_it_is_used() -> None:
    loaded = run("import sys, ops_lib, ops_lib.propagation; print(*sys.modules)").split()
    assert not [name for name in loaded if name.startswith("opentelemetry")]


def test_the_sdk_is_imported_by_configure_only() -> None:
    code = "import sys, ops_lib as ops; [getattr(ops, name) for name in ops.__all__]\n"
    code += "with ops.session(), ops.span('s'): ops.inject_context({})\nprint(*sys.modules)"
    theirs = run("import sys, opentelemetry.trace; print(*sys.modules)").split()  # before 1.39 it loads asyncio
    loaded = run(code).split()
    assert not [name for name in loaded if name.startswith("opentelemetry.sdk")]
    assert "asyncio" not in loaded or "asyncio" in theirs


def test_works_without_what_is_not_in_the_base_install() -> None:
    code = f"""
import sys
for name in {NOT_BASE!r}:
    sys.modules[name] = None
import ops_lib as ops, ops_lib.testing
[getattr(ops, name) for name in ops.__all__]
ops.configure("s", exporter="console")
headers = {{}}
with ops.session(), ops.span("s"):
    ops.inject_context(headers)
assert "traceparent" in headers
try:
    ops.configure(exporter="otlp")
except ImportError as error:
    print(error)
"""
    assert "pip install 'ops-sidecar[otlp]'" in run(code)


def test_the_base_install_is_small() -> None:
    """Every distribution that `pip install ops-sidecar` brings, itself included, as installed here: below 25 MB."""
    wanted, seen, size = ["ops-sidecar"], set(), 0
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform or Python
        for text in found.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name.lower())
        if name != "ops-sidecar":
            files = (Path(str(file.locate())) for file in found.files or [])
            size += sum(file.stat().st_size for file in files if file.is_file())
    root = Path(inspect.getfile(ops)).parent.parent
    size += sum(file.stat().st_size for part in ("ops_lib", "proxy") for file in (root / part).rglob("*.py"))
    assert {"opentelemetry-api", "opentelemetry-sdk"} <= seen
    assert not {"aiohttp", "uvloop", "httptools", "h11", "pydantic", "pyyaml", "requests", "protobuf"} & seen
    assert size < 25_000_000
