"""The settings of injected sidecars: whose lines count, what is derived from them, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.errors import SettingsError, SettingsProblem
from proxy.kubernetes.configuration import configuration
from proxy.kubernetes.function import function_settings
from proxy.kubernetes.injection.wanted import read_lines
from proxy.settings import Flag

DEFAULT = Flag(("kubernetes", "inbound"), "redirect", "default of the webhook")


def flag(key: str, value: str) -> Flag:
    return Flag(tuple(key.split(".")), value, f"flag {key}")


def problems(*arguments: Any, lines: str = "") -> tuple[SettingsProblem, ...]:
    with pytest.raises(SettingsError) as caught:
        configuration(*arguments)(lines)
    return caught.value.problems


@pytest.mark.parametrize(
    ("flags", "lines", "inbound"),
    [
        ([], "", "redirect"),
        ([flag("kubernetes.inbound", "off")], "", "off"),
        ([], "kubernetes.inbound=service", "service"),
        ([flag("kubernetes.inbound", "off")], "kubernetes.inbound=service", "service"),
        ([], "kubernetes.outbound=off", "redirect"),
    ],
)
def test_a_default_counts_where_nobody_says_otherwise(flags: list[Flag], lines: str, inbound: str) -> None:
    """A pod's own lines count most."""
    assert configuration(None, flags, defaults=[DEFAULT])(lines).kubernetes.inbound == inbound


def test_what_reaches_the_sidecar_is_what_was_said_but_for_the_pod_and_the_webhook() -> None:
    made = configuration(None, [flag("log.level", "debug"), flag("kubernetes.mode", "plain")], defaults=[DEFAULT])
    wanted = made("inbound.app=http://127.0.0.1:1")
    assert wanted.environment == {
        "OPS_SIDECAR_LOG__LEVEL": "debug", "OPS_SIDECAR_INBOUND__APP": "http://127.0.0.1:1"
    }  # fmt: skip
    assert wanted.written == {"log.level", "kubernetes.mode", "inbound.app", "kubernetes.inbound"}


def test_the_environment_of_who_injects_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_SIDECAR_LOG__LEVEL", "debug")
    assert configuration(None, [])("").settings.log.level == "info"


@pytest.mark.parametrize(("size", "is_same"), [(4096, True), (4097, False)])
def test_lines_are_read_once_up_to_4096_characters(size: int, is_same: bool) -> None:
    configure = configuration(None, [])
    lines = "log.level=debug\n#".ljust(size, "x")
    assert (configure(lines) is configure(lines)) is is_same
    assert configure(lines) == configure(lines)


def test_problems_are_found_at_once_and_before_any_pod() -> None:
    wrong = SettingsProblem("--set", "x", "command line", "expected --set key.path=value")
    assert problems(None, [], [wrong]) == (wrong,)
    with pytest.raises(SettingsError):
        configuration(None, [flag("kubernetes.mode", "x")])


def test_a_file_needs_a_config_map_by_which_pods_have_it(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("log: {level: debug}\n", encoding="utf-8")
    assert problems(file, []) == (
        SettingsProblem(
            "kubernetes.config_map", "", str(file),
            "pods read a settings file from a ConfigMap, and none is named: `kubectl create configmap NAME "
            "--from-file=sidecar.yaml=FILE`, and --set kubernetes.config_map=NAME",
        ),
    )  # fmt: skip
    wanted = configuration(file, [flag("kubernetes.config_map", "ops")])("")
    assert (wanted.settings.log.level, wanted.config_map, wanted.environment) == ("debug", "ops", {})


def test_lines_of_an_annotation() -> None:
    text = "# a comment\n\n a . b = c=d \n  x.y=\n=z\na..b=c\nword\n"
    assert read_lines(text, "of") == (
        [Flag(("a", "b"), "c=d", "of a . b"), Flag(("x", "y"), "", "of x.y")],
        ["=z", "a..b=c", "word"],
    )
    assert problems(None, [], lines="a\nlog.level=x\nb") == tuple(
        SettingsProblem("ops-sidecar/settings", line, "annotation", "expected lines KEY=VALUE, as for --set")
        for line in ("a", "b")
    )


def resources(**config: Any) -> dict[str, Any]:
    return {"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "functionConfig": config}


def test_what_kustomize_says_to_a_function() -> None:
    """The `data` of each ResourceList, in order; nothing of other documents."""
    documents = [
        None,
        {"apiVersion": "v1", "kind": "ConfigMap", "functionConfig": {"data": {"a": "b"}}},
        resources(),
        resources(data={" log . level ": " debug ", "a..b": "c", "timeouts.idle_s": 5, "log": ["x"]}),
        resources(data=["a"]),
        resources(data={"log.format": "json"}),
    ]
    expected = "expected a mapping of KEY: VALUE with text as values, as for --set"
    assert function_settings(documents) == (
        [
            Flag(("log", "level"), "debug", "functionConfig  log . level "),
            Flag(("log", "format"), "json", "functionConfig log.format"),
        ],
        [
            SettingsProblem(key, value, "functionConfig", expected)
            for key, value in (("a..b", "c"), ("timeouts.idle_s", "5"), ("log", "['x']"), ("data", "['a']"))
        ],
    )
