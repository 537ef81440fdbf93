"""A format is one module and one row. Two are added to a copy of the code, and everything knows them.

The copy is the code as it stands, but for two modules (`added_formats/`) and their rows in the registry. Nothing else
of it changes. What then has to hold: the laws, the command line, the library in a process, and a running sidecar.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.fixtures import upstream
from lab.peers import Upstream
from lab.process import SidecarProcess
from lab.sidecar import LISTEN

import ops_lib
import proxy

__all__ = ["upstream"]

HERE = Path(__file__).parent
ADDED = ("toy", "split")

T, S, P = "58406520a006649127e371903a2de979", "53995c3f42cd8ad8", "00f067aa0ba902b7"
W3C = f"traceparent: 00-{T}-{S}-01"
TOY = f"X-Toy: toy1/{T}/{S}/1"
SPLIT = f"X-Split-Id: Root=1-{T[:8]}-{T[8:]};Parent={S};Sampled=1"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy. Raises where the registry no longer has the two places that the recipe names."""
    root = tmp_path_factory.mktemp("added")
    for package in (ops_lib, proxy):
        source = Path(package.__file__ or "").parent
        shutil.copytree(source, root / source.name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    heart = root / "ops_lib" / "propagation"
    for name in ADDED:
        shutil.copy(HERE / "added_formats" / f"{name}.py", heart)
    registry = heart / "registry.py"
    text = registry.read_text()
    for before, after in (
        ("from . import b3, jaeger, tracecontext\n", "from . import b3, jaeger, split, toy, tracecontext\n"),
        ("    jaeger.CODEC,\n)", "    jaeger.CODEC,\n    toy.CODEC,\n    split.CODEC,\n)"),
    ):
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    registry.write_text(text)
    return root


def run(tree: Path, *arguments: str, code: int = 0, **environ: str) -> str:
    """Python with `arguments`, in the copy. Its standard output, and the exit code has to be `code`."""
    done = subprocess.run(
        [sys.executable, "-P", *arguments],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tree), **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=HERE.parent,
    )
    assert done.returncode == code, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.slow
def test_the_laws_hold_for_it(tree: Path) -> None:
    """Round trips over all pairs, exactly one story, no error on any bytes, the fast path like the full way."""
    laws = [HERE / "ops_lib" / "propagation" / name for name in ("test_laws.py", "test_codec.py")]
    told = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, laws))
    assert " passed" in told
    assert run(tree, "-c", "from ops_lib.propagation import KNOWN_FORMATS; print(*KNOWN_FORMATS)").split() == [
        *("tracecontext", "grpc-trace-bin", "b3", "b3multi", "jaeger"),
        *ADDED,
    ]


def translate(tree: Path, *arguments: str, code: int = 0) -> list[str]:
    return run(tree, "-m", "proxy", "translate", *arguments, code=code).splitlines()


def test_the_command_line_translates_it(tree: Path) -> None:
    assert translate(tree, "--to", "toy", W3C) == [TOY]
    assert translate(tree, "--to", "split", W3C) == [SPLIT]
    assert translate(tree, TOY) == [W3C]
    assert translate(tree, "--from", "split", SPLIT) == [W3C]
    assert translate(tree, "--to", "split,toy", f"b3: {T}-{S}-d-{P}") == [SPLIT, f"X-Toy: toy1/{T}/{S}/d/{P}"]
    assert TOY in translate(tree, "--to", "composite", W3C)
    assert not any("Split" in line for line in translate(tree, "--to", "composite", W3C))
    for taken in ("X-Toy", "x_split_id"):  # no header of a format may carry the session
        translate(tree, "--session", taken, W3C, code=2)


def test_explain_tells_of_it(tree: Path) -> None:
    """What it says, who wins, what is lost, and what is not read and goes."""
    told = translate(tree, "--to", "split", "--explain", TOY, f"b3: {T}-{S}-d")
    at = next(number for number, line in enumerate(told) if line.startswith("  toy "))
    assert told[at].split() == ["toy", T, S, "accept"]
    assert told[at + 1].strip() == "the same trace: fills in what the winner cannot say"
    assert f"  {SPLIT}" in told
    assert any(line.startswith("  split: debug: ") for line in told)
    told = translate(tree, "--from", "b3", "--explain", TOY, SPLIT, "b3: 1")
    assert "  toy: not asked for: not read, not passed on" in told
    assert "  split: not translated, another story passes beside ours: X-Split-Id" in told


def test_settings_take_its_name_and_list_it(tree: Path, tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("propagation:\n  extract: [split, toy]\n  inject: [toi]\n")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "proxy", "check", "--config", str(file)],
        env={"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "did you mean toy?" in done.stdout + done.stderr
    assert "tracecontext, grpc-trace-bin, b3, b3multi, jaeger, toy, split, composite" in done.stdout + done.stderr


LIBRARY = """
import json, sys
import ops_lib as ops
from opentelemetry import trace

headers, name, others = json.load(sys.stdin)
told = {}
for kind in ("dict", "lower", "pairs", "bytes"):
    carrier = {
        "dict": dict(headers),
        "lower": {key.lower(): value for key, value in headers},
        "pairs": [tuple(pair) for pair in headers],
        "bytes": [(key.lower().encode(), value.encode()) for key, value in headers],
    }[kind]
    context = ops.extract_context(carrier)
    ids = trace.get_current_span(context).get_span_context()
    written = {"dict": {}, "lower": dict(others), "pairs": [tuple(pair) for pair in others], "bytes": [
        (key.lower().encode(), value.encode()) for key, value in others
    ]}[kind]
    ops.inject_context(written, context=context)
    pairs = list(written.items()) if isinstance(written, dict) else written
    pairs = [[part.decode() if isinstance(part, bytes) else part for part in pair] for pair in pairs]
    told[kind] = [f"{ids.trace_id:032x}", f"{ids.span_id:016x}", pairs]
json.dump(told, sys.stdout)
"""


@pytest.mark.parametrize(("name", "header"), [("toy", TOY), ("split", SPLIT)])
def test_the_library_reads_and_writes_it_in_any_carrier(tree: Path, name: str, header: str) -> None:
    """And clears it where it is stale, in any spelling."""
    key, value = header.split(": ", 1)
    stale = [[key.upper(), "stale"], ["b3", "0"], ["Accept", "*/*"]]
    done = subprocess.run(
        [sys.executable, "-P", "-c", LIBRARY],
        env={"PYTHONPATH": str(tree), "MIRASCOPE_PROPAGATOR": name},
        input=json.dumps([[[key, value]], name, stale]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [each[:2] for each in told.values()] == [[T, S]] * 4
    written = {kind: [[name.lower(), text] for name, text in pairs] for kind, (_, _, pairs) in told.items()}
    assert written["dict"] == [[key.lower(), value]]
    assert written["lower"] == written["pairs"] == written["bytes"] == [["accept", "*/*"], [key.lower(), value]]


@pytest.fixture
def sidecar(
    tree: Path, upstream: Upstream, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SidecarProcess]:
    """A sidecar of the copy, from the command line. `request.param`: formats in, formats out, families to clear."""
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):  # a copy is not to be measured
        monkeypatch.delenv(name, raising=False)
    extract, inject, clear = request.param
    arguments = ("--inbound", LISTEN, "--app", upstream.url, "--outbound", "off", "--admin", LISTEN)
    formats = ("--extract", extract, "--inject", inject, "--set", f"propagation.clear={clear}")
    with SidecarProcess(*arguments, *formats, environ={"PYTHONPATH": str(tree)}) as running:
        yield running


def seen(sidecar: SidecarProcess, upstream: Upstream, *headers: str) -> list[str]:
    """The trace headers that reach the app when a client sends `headers`."""
    with sidecar.client() as client:
        client.send("\r\n".join(["GET / HTTP/1.1", "Host: a", *headers, "", ""]).encode())
        fields = upstream.answer().head.fields
        assert client.response().status == 200
    found = [f"{name.decode()}: {value.decode()}" for name, value in fields]
    return [line for line in found if line.lower().startswith(("x-toy", "x-split", "traceparent", "b3"))]


@pytest.mark.parametrize("sidecar", [("tracecontext,b3,toy", "toy", "[]")], indirect=True)
def test_a_running_sidecar_writes_it_and_clears_it(sidecar: SidecarProcess, upstream: Upstream) -> None:
    assert seen(sidecar, upstream, W3C) == [TOY]
    assert seen(sidecar, upstream, f"b3: {T}-{S}-d-{P}") == [f"X-Toy: toy1/{T}/{S}/d/{P}"]
    assert seen(sidecar, upstream, f"X_TOY: toy1/{T}/{S}/1") == []
    assert seen(sidecar, upstream, "x-toy: nonsense", W3C, SPLIT) == [TOY, SPLIT], "not named: it passes"
    _, metrics = sidecar.get("/metrics", "admin")
    (line,) = (line for line in metrics.splitlines() if line.startswith("ops_sidecar_contexts_injected_total"))
    assert 'format="toy"' in line
    assert line.endswith(" 3")


@pytest.mark.parametrize("sidecar", [("tracecontext", "tracecontext", "[split]")], indirect=True)
def test_a_running_sidecar_removes_it_where_it_is_told_to(sidecar: SidecarProcess, upstream: Upstream) -> None:
    assert seen(sidecar, upstream, SPLIT, W3C) == [W3C]
    assert seen(sidecar, upstream, SPLIT.upper().replace("-ID", "_ID", 1), W3C, TOY) == [W3C]


@pytest.mark.parametrize("sidecar", [("split,toy", "tracecontext,split", "[]")], indirect=True)
def test_a_running_sidecar_reads_it_and_passes_on_a_split_id_whole(sidecar: SidecarProcess, upstream: Upstream) -> None:
    assert seen(sidecar, upstream, SPLIT) == [W3C, SPLIT]
    assert seen(sidecar, upstream, TOY) == [W3C, SPLIT]
    assert seen(sidecar, upstream, TOY.replace("/1", "/?")) == [W3C, SPLIT.replace("=1", "=?").replace("=?-", "=1-")]
    other = SPLIT.replace("a2de979", "a2de97a")
    assert seen(sidecar, upstream, other, TOY) == [W3C.replace("979-", "97a-"), other]
    assert sidecar.metric("ops_sidecar_contexts_conflicting_total") == 1
