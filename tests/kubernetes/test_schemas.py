"""What is injected is what Kubernetes takes: the schemas of four versions, in their strict form."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
from lab.manifests import inject, uninject
from lab.schemas import check

from proxy.kubernetes.injection import InjectionError

EXAMPLES = Path(__file__).parents[2] / "config" / "kubernetes" / "examples"
ALL = sorted(path for path in EXAMPLES.glob("*.yaml") if path.stem != "kustomization")
WAYS = {
    "native": {},
    "plain": {"kubernetes.mode": "plain"},
    "redirect": {"kubernetes.inbound": "redirect", "kubernetes.outbound": "redirect", "kubernetes.ip_family": "dual"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("example", ALL, ids=lambda path: path.stem)
def test_every_example_is_valid_with_the_sidecar(example: Path, way: str) -> None:
    text = example.read_text(encoding="utf-8")
    if way == "plain" and "job" in example.stem:
        with pytest.raises(InjectionError, match="would never complete"):
            inject(text, WAYS[way])
        return
    for document in inject(text, WAYS[way]).documents:
        check(document)


@pytest.mark.parametrize("example", ALL, ids=lambda path: path.stem)
def test_every_example_is_the_same_after_there_and_back(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    done = inject(text)
    assert inject(done.text).text == done.text
    assert uninject(done.text) == text


def test_the_check_itself_finds_what_is_wrong() -> None:
    done = inject((EXAMPLES / "deployment.yaml").read_text(encoding="utf-8"))
    done.sidecar["restartPolicies"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        check(done.documents[0])
