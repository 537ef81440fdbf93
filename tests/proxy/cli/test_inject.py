"""`ops-sidecar inject` and `uninject`: standard input to standard output, and clear errors."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import yaml
from lab.manifests import DEPLOYMENT, SERVICE

from proxy.cli.commands import main

BOTH = DEPLOYMENT + SERVICE
FUNCTION = """\
apiVersion: config.kubernetes.io/v1
kind: ResourceList
items:
- apiVersion: v1
  kind: Pod
  metadata: {{name: orders}}
  spec: {{containers: [{{name: orders, image: 'orders:1', ports: [{{containerPort: 3000}}]}}]}}
functionConfig: {{apiVersion: v1, kind: ConfigMap, data: {data}}}
"""


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(BOTH.encode()), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)


def images(text: str) -> list[str]:
    spec = next(yaml.safe_load_all(text))["spec"]["template"]["spec"]
    return [one["image"] for one in (*spec.get("initContainers", ()), *spec["containers"])]


def test_nobody_types_a_manifest(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal it says so, rather than to wait for one."""
    stdin = io.TextIOWrapper(io.BytesIO(BOTH.encode()), encoding="utf-8")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["inject"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "give manifests as files, or on standard input" in told.err


@pytest.mark.usefixtures("give")
def test_standard_input_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inject", "--image", "registry.internal/ops-sidecar:1"]) == 0
    out, err = capsys.readouterr()
    assert images(out) == ["registry.internal/ops-sidecar:1", "orders:1"]
    assert err == ""


def test_files_are_one_stream_and_notes_go_to_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(DEPLOYMENT.rstrip(), encoding="utf-8")
    (tmp_path / "b.yaml").write_text(SERVICE.removeprefix("---\n"), encoding="utf-8")
    assert main(["inject", "--plain", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert images(out)[0] == "orders:1"
    assert [one["kind"] for one in yaml.safe_load_all(out)] == ["Deployment", "Service"]
    assert main(["inject", str(tmp_path / "a.yaml")]) == 0
    assert capsys.readouterr().err.startswith("note: deployment/orders: no Service in the input leads to it")


def test_a_file_that_begins_with_a_separator_gets_no_second_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    for text in (SERVICE, SERVICE.removeprefix("---\n")):
        (tmp_path / "b.yaml").write_text(text, encoding="utf-8")
        assert main(["uninject", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]) == 0
        assert capsys.readouterr().out == BOTH


def test_the_environment_of_the_user_is_not_that_of_the_pod(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_SIDECAR_KUBERNETES__IMAGE", "mine:1")
    monkeypatch.setenv("OPS_SIDECAR_INBOUND__APP", "nonsense")
    (tmp_path / "a.yaml").write_text(BOTH, encoding="utf-8")
    assert main(["inject", str(tmp_path / "a.yaml")]) == 0
    assert images(capsys.readouterr().out)[0].startswith("ops-sidecar:")


def test_a_function_config_says_what_set_says_and_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "list.yaml"
    data = "{kubernetes.image: 'mine:2', inbound.propagation.inject: b3multi, service.name: ' shop '}"
    file.write_text(FUNCTION.format(data=data), encoding="utf-8")
    assert main(["inject", "--image", "mine:1", "--set", "service.name=other", str(file)]) == 0
    (pod,) = yaml.safe_load(capsys.readouterr().out)["items"]
    (sidecar,) = pod["spec"]["initContainers"]
    assert sidecar["image"] == "mine:2"
    environment = {one["name"]: one["value"] for one in sidecar["env"]}
    assert environment["OPS_SIDECAR_INBOUND__PROPAGATION__INJECT"] == "b3multi"
    assert environment["OPS_SIDECAR_SERVICE__NAME"] == "shop"
    assert environment["OPS_SIDECAR_INBOUND__APP"] == "http://127.0.0.1:3000"


def test_only_a_resource_list_has_a_function_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"functionConfig: {{data: {{kubernetes.image: 'mine:2'}}}}\n{BOTH}", encoding="utf-8")
    assert main(["inject", str(file)]) == 0
    assert images(capsys.readouterr().out)[0].startswith("ops-sidecar:")


def test_uninject_undoes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(BOTH, encoding="utf-8")
    assert main(["inject", str(file)]) == 0
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["uninject", str(file)]) == 0
    assert capsys.readouterr().out == BOTH


@pytest.mark.parametrize(
    ("arguments", "manifest", "told"),
    [
        (["--set", "inbound.appp=x"], BOTH, "inbound.appp"),
        (["--set", "nonsense"], BOTH, "expected --set key.path=value"),
        (["--image", "a b"], BOTH, "kubernetes.image = a b (from flag --image): expected an image"),
        ([], "kind: Pod\n a: 1\n", "ops-sidecar inject: document 1, line 2"),
        ([], BOTH.replace("8080", "9080"), "ops-sidecar inject: deployment/orders: the app has port 9080 itself"),
        ([], FUNCTION.format(data="{inbound.appp: x}"), "inbound.appp (from functionConfig inbound.appp): unknown key"),
        (
            [],
            FUNCTION.format(data="{inbound.app: 3000}"),
            "inbound.app = 3000 (from functionConfig): expected a mapping",
        ),
        ([], FUNCTION.format(data="[a]"), "(from functionConfig): expected a mapping of KEY: VALUE"),
        (["--config", "CONFIG"], BOTH, "kubectl create configmap NAME --from-file=sidecar.yaml=FILE"),
    ],
)
def test_wrong_settings_and_manifests_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], manifest: str, told: str
) -> None:
    (tmp_path / "sidecar.yaml").write_text("inbound: {app: 'http://127.0.0.1:3000'}\n", encoding="utf-8")
    (tmp_path / "a.yaml").write_text(manifest, encoding="utf-8")
    given = [str(tmp_path / "sidecar.yaml") if one == "CONFIG" else one for one in arguments]
    assert main(["inject", *given, str(tmp_path / "a.yaml")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["uninject", "/nowhere.yaml"]) == 2
    assert "/nowhere.yaml" in capsys.readouterr().err
