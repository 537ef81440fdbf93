"""What can be said of the image without an engine: its Dockerfiles are linted, its bill of materials is whole.

The rest is in tests/compose/image.py (`make compose-test`).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv-image" / "bin"  # make lint-image
DOCKERFILES = ("Dockerfile", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "config").rglob("*Dockerfile")))
needs_hadolint = pytest.mark.skipif(not (TOOLS / "hadolint").exists(), reason="there is no hadolint: make lint-image")
VALIDATE = """if True:
    import sys
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    sys.exit(str(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) or "") or None)"""


@needs_hadolint
@pytest.mark.parametrize("file", DOCKERFILES)
def test_hadolint_finds_no_fault(file: str) -> None:
    done = subprocess.run([str(TOOLS / "hadolint"), file], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_make_lints_each_dockerfile() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^DOCKERFILES = (.*)$", text, re.MULTILINE)
    assert set(listed.split()) == set(DOCKERFILES)


@pytest.mark.parametrize("file", DOCKERFILES)
def test_no_dockerfile_is_of_one_platform(file: str) -> None:
    """Which processor is up to whoever builds it; `make wheels` asks whether there are wheels for it."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    orders = "\n".join(line for line in lines if not line.startswith("#"))
    assert re.findall(r"amd64|x86.64|arm64|aarch64|--platform|TARGETARCH", orders) == []


def bill(*arguments: str) -> str:
    """The bill of materials of this environment."""
    command = [sys.executable, ".ci/sbom", "requirements/dev.lock", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bill("python:3.13-slim"))
    return found


def test_it_names_the_project_and_its_base(document: dict[str, Any]) -> None:
    root = document["metadata"]["component"]
    assert (root["type"], root["name"], root["licenses"]) == ("application", "ops-sidecar", [{"expression": "MIT"}])
    assert document["metadata"]["properties"] == [{"name": "ops-sidecar:base-image", "value": "python:3.13-slim"}]


def test_each_component_has_its_hashes_and_its_place(document: dict[str, Any]) -> None:
    refs = {one["bom-ref"] for one in document["components"]}
    assert "pkg:pypi/aiohttp" in {ref.partition("@")[0] for ref in refs}
    assert all(one["hashes"] and one["version"] for one in document["components"])
    told = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    assert set(told) == refs | {document["metadata"]["component"]["bom-ref"]}
    assert all(set(needs) <= refs for needs in told.values())


def test_two_builds_say_the_same() -> None:
    assert bill() == bill()


@pytest.mark.skipif(not (TOOLS / "python").exists(), reason="there is no CycloneDX schema here: make lint-image")
def test_it_is_valid_cyclonedx() -> None:
    command = [str(TOOLS / "python"), "-I", "-c", VALIDATE]
    done = subprocess.run(command, input=bill(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_version_of_the_label_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"ARG VERSION={project['version']}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
