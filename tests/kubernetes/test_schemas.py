"""What is injected is what Kubernetes takes: the schemas of four versions, in their strict form."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
from lab.manifests import inject, uninject

EXAMPLES = Path(__file__).parents[2] / "config" / "kubernetes" / "examples"
VERSIONS = ("1.29.0", "1.31.0", "1.34.0", "1.37.0")  # native sidecars are on by default since 1.29
ALL = sorted(EXAMPLES.glob("*.yaml"))
WAYS = {
    "native": {},
    "plain": {"kubernetes.mode": "plain"},
    "redirect": {"kubernetes.inbound": "redirect", "kubernetes.outbound": "redirect", "kubernetes.ip_family": "dual"},
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("example", ALL, ids=lambda path: path.stem)
def test_every_example_is_valid_with_the_sidecar(example: Path, way: str, version: str) -> None:
    if way == "plain" and "job" in example.stem:
        pytest.skip("a plain sidecar is refused in Jobs")
    done = inject(example.read_text(encoding="utf-8"), WAYS[way])
    for document in done.documents:
        kubernetes_validate.validate(document, version, strict=True)


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
        kubernetes_validate.validate(done.documents[0], VERSIONS[0], strict=True)
