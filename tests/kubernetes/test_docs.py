"""docs/kubernetes.md, docs/deploy.md and the help of the commands: what they tell people to type works."""

from __future__ import annotations

import io
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from lab.schemas import check

from proxy.cli.commands import main
from proxy.cli.help import COMMANDS

ROOT = Path(__file__).parents[2]
PAGE, DEPLOY = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("kubernetes.md", "deploy.md"))
TEXTS = [PAGE, DEPLOY, *(COMMANDS[name].examples for name in ("inject", "uninject"))]
COMMAND = re.compile(r"\bops-sidecar (?:inject|uninject)\b(?! does)[^|`\n]*")
TYPED = sorted({" ".join(found.split()) for text in TEXTS for found in COMMAND.findall(text.replace("\\\n", " "))})


@pytest.mark.parametrize("typed", TYPED)
def test_every_inject_that_is_shown_works(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(typed.partition("<")[0].partition(">")[0], comments=True)
    example = (ROOT / "config" / "kubernetes" / "examples" / "deployment.yaml").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(example), encoding="utf-8"))
    assert main(words[1:]) == 0
    for document in yaml.safe_load_all(capsys.readouterr().out):
        check(document, ("1.34.0",))


def test_some_are_shown() -> None:
    assert len(TYPED) >= 5


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE))))
def test_what_it_links_to_is_there(link: str) -> None:
    assert (ROOT / "docs" / link).exists()


def test_every_file_of_config_is_run_or_validated_here() -> None:
    """By name: a new file has to be added to a test, and to this list."""
    kubernetes = {
        "component/cronjob.yaml",  # test_kustomize
        "component/kustomization.yaml",  # test_kustomize
        "component/pod-template.yaml",  # test_kustomize
        "monitoring/podmonitor.yaml",  # test_helm
        "function/Dockerfile",  # tests/compose/image.py, tests/config/test_image.py
        *(f"function/example/{name}.yaml" for name in ("catalog", "kustomization", "sidecar")),  # test_kustomize
        "webhook/kustomization.yaml",  # test_kustomize
        "webhook/rbac.yaml",  # test_kustomize, test_helm; what it allows: tests/lab/api_server.py
        "webhook/webhook.yaml",  # test_kustomize, test_helm
        "examples/kustomization.yaml",  # test_kustomize
        *(f"examples/{name}.yaml" for name in EXAMPLES),  # test_schemas
    }
    assert _files("kubernetes") == kubernetes
    charts = {name for name in _files("helm") if name.startswith(("example/", "ops-sidecar/", "ops-sidecar-lib/"))}
    assert _files("helm") == {*charts, "post-renderer/plugin.yaml"}  # test_helm


EXAMPLES = ("cronjob", "daemonset", "deployment", "dual-stack", "job", "settings", "statefulset")


def _files(folder: str) -> set[str]:
    top = ROOT / "config" / folder
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}
