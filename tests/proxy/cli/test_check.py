"""`ops-sidecar check`: valid or not, and the settings in effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.cli.check import _text
from proxy.cli.commands import main


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(("OPS_SIDECAR_", "MIRASCOPE_")):
            monkeypatch.delenv(name)


def test_valid_settings_are_shown_with_who_set_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("inbound:\n  app: 'http://a'\n", encoding="utf-8")
    monkeypatch.setenv("OPS_SIDECAR_ADMIN__LISTEN", "off")
    assert main(["check", str(file), "--inject", "b3", "--set", "timeouts.connect_s=250ms"]) == 0
    lines = {line.partition("#")[0].strip(): line.partition("# ")[2] for line in capsys.readouterr().out.splitlines()}
    assert lines["inbound.app = http://a:80"] == f"{file}:2"
    assert lines["admin.listen = off"] == "environment variable OPS_SIDECAR_ADMIN__LISTEN"
    assert lines["inbound.propagation.inject = [b3]"] == "flag --inject"
    assert lines["outbound.timeouts.connect_s = 0.25"] == "flag --set timeouts.connect_s"
    assert lines["drain.grace_s = 0.0"] == "default"
    assert f"valid: {file}" in lines


def test_the_file_of_all_defaults_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(__file__).parents[3] / "config" / "sidecar.yaml"
    assert main(["check", "--changed", str(file)]) == 0
    assert capsys.readouterr().out.split() == ["valid:", str(file)]


def test_changed_shows_only_what_somebody_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--changed", "--app", "http://a"]) == 0
    assert capsys.readouterr().out.splitlines() == ["inbound.app = http://a:80  # flag --app", "", "valid (no file)"]


def test_json_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", "--outbound", "off"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["valid"] is True
    entries = {entry["key"]: entry for entry in found["settings"]}
    assert entries["outbound.listen"] == {
        "key": "outbound.listen",
        "value": "off",
        "source": "flag --outbound",
        "default": "127.0.0.1:9081",
        "changed": True,
    }
    assert entries["propagation.lossless"]["value"] is True


def test_problems_exit_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("inbound:\n  ap: x\n  listen: y\n", encoding="utf-8")
    assert main(["check", str(file)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("ops-sidecar: 2 problems in the settings:\n")
    assert f"  inbound.ap (from {file}:2): unknown key; did you mean app?\n" in shown.err
    assert main(["check", str(file), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["valid"] is False
    assert {problem["key"] for problem in found["problems"]} == {"inbound.ap", "inbound.listen"}


@pytest.mark.parametrize("pair", ["inbound.app", "=x", "inbound..app=x", ""])
def test_a_malformed_set_is_a_problem(capsys: pytest.CaptureFixture[str], pair: str) -> None:
    assert main(["check", "--set", pair]) == 2
    assert "expected --set key.path=value" in capsys.readouterr().err


def test_a_malformed_set_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--set", "inbound..password=hunter2"]) == 2
    assert "--set = inbound..password= (hidden)" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["/nonexist", "broken.yaml"])
def test_what_cannot_be_read_hides_no_other_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """A --set without `=`, a file that is not there or no YAML: the rest is told as well, and no guess."""
    monkeypatch.setenv("OPS_SIDECAR_FOO", "1")
    monkeypatch.setenv("OPS_SIDECAR_UPSTREAMS__BILLING__TARGET", "http://a")  # of an upstream that the file may have
    monkeypatch.setenv("OPS_SIDECAR_INBOUND__LISTEN", "off")
    (tmp_path / "broken.yaml").write_text("log: [", encoding="utf-8")
    assert main(["check", str(tmp_path / file), "--set", "a", "--set", "a=b", "--outbound", "off"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "ops-sidecar: 4 problems in the settings:"
    its_own = "(yaml)" if file == "broken.yaml" else "config"
    assert {line.split(" = ")[0].strip() for line in lines[1:]} == {"--set", its_own, "a", "foo"}


def test_secrets_are_hidden(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_SIDECAR_PASSWORD", "hunter2")
    assert main(["check", "--app", "http://user:hunter2@a", "--json"]) == 2
    shown = capsys.readouterr()
    assert "hunter2" not in shown.out + shown.err
    assert "(hidden)" in shown.out


def test_a_flag_without_effect_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("inbound: {propagation: {inject: b3}}\noutbound: {listen: off}\n", encoding="utf-8")
    assert main(["check", str(file), "--inject", "jaeger"]) == 0
    why = "inbound.propagation.inject counts instead"
    told = capsys.readouterr()
    assert told.err == f"note: propagation.inject (from flag --inject) has no effect: {why}\n"
    assert main(["check", str(file), "--inject", "jaeger", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"][0]["why"] == why


def test_a_certificate_that_goes_between_two_looks_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError("/ca.pem is not there any more")

    monkeypatch.setattr("proxy.cli.check.compile_plan", gone)
    assert main(["check", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    problem = {"key": "tls", "value": "", "source": "certificates", "message": "/ca.pem is not there any more"}
    assert said == {"valid": False, "problems": [problem]}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "true"), (False, "false"), (["a", "b"], "[a, b]"), ([], "[]"), (None, "-"), (0, "0"), ("x", "x")],
)
def test_a_value_is_shown_as_it_is_written(value: object, shown: str) -> None:
    assert _text(value) == shown
