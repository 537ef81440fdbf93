"""The shape of the settings, and that the files for people say the same."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from proxy.plan import Clients, DrainPlan, ExportPlan, Limits, PoolPlan, PropagationPlan, SpansPlan, Timeouts
from proxy.plan.compile import compile_plan
from proxy.plan.compile_export import UNKNOWN_SERVICE
from proxy.plan.participation import SamplingPlan
from proxy.settings import Settings, load
from proxy.settings.problems import all_keys
from proxy.settings.sections.propagation import PropagationSettings
from proxy.settings.yaml_file import read_yaml

ROOT = Path(__file__).parents[3]
SIDECAR_YAML = ROOT / "config" / "sidecar.yaml"
_EXAMPLE = re.compile(r"^(\s*)#(\s*(?:- )?[a-z_0-9]+:(?: .*)?)$", re.MULTILINE)
_SECTIONS = "propagation|limits|clients|timeouts|pool|forwarding|sampling|spans"
_LAYERED = re.compile(rf"(?:inbound|outbound|upstreams\.N)\.(?:{_SECTIONS})(?=\.)")


def uncommented() -> str:
    return _EXAMPLE.sub(r"\1\2", SIDECAR_YAML.read_text(encoding="utf-8"))


def test_the_file_of_defaults_is_exactly_the_defaults() -> None:
    assert load(SIDECAR_YAML, environ={}).settings == load(environ={}).settings


def test_the_file_of_defaults_holds_every_key() -> None:
    """Keys with a default stand there; those of sections laid over others stand at the top, and as an example below."""
    plain = set(read_yaml(SIDECAR_YAML.read_text(encoding="utf-8"), "f").lines)
    examples = read_yaml(uncommented(), "f")
    assert examples.problems == []
    written = {".".join("N" if step == "0" else step for step in path) for path in examples.lines}
    for key in all_keys():
        layered = _LAYERED.match(key)
        assert (layered[0] if layered else key) in written, key
        if not layered and not key.startswith(("upstreams", "trust", "inbound.tls")):
            assert tuple(key.split(".")) in plain, key


def test_the_examples_in_the_file_of_defaults_are_valid(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^\s*(?:ca|cert|key)_file:.*\n", "", uncommented()).replace(
        'app: "http://127.0.0.1:8080"', 'app: "https://127.0.0.1:8080"'
    )
    file = tmp_path / "sidecar.yaml"
    file.write_text(text, encoding="utf-8")
    assert load(file, environ={}).settings.upstreams[0].name == "billing"


@pytest.mark.parametrize("example", sorted((ROOT / "config" / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_valid_and_compiles(example: Path) -> None:
    assert compile_plan(load(example, environ={}).settings, 1).listeners


def test_the_reference_names_every_key() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for key in all_keys():
        layered = _LAYERED.match(key)
        in_tls = re.match(r"(?:inbound|export|console\.report|upstreams\.N)\.(tls)\.(?=\w)", key)
        name = layered[0] if layered else key[in_tls.start(1) :] if in_tls else key
        assert f"`{name}`" in text, name


def test_the_defaults_of_settings_and_plan_agree() -> None:
    settings = Settings.from_layers([])
    assert Limits(**settings.limits.model_dump()) == Limits()
    assert Clients(**settings.clients.model_dump()) == Clients()
    assert Timeouts(**settings.timeouts.model_dump()) == Timeouts()
    assert PoolPlan(**settings.pool.model_dump()) == PoolPlan()
    assert compile_plan(settings, 1).drain == DrainPlan()
    inbound = compile_plan(settings, 1).listeners[0]
    propagation = inbound.router.route("any", 80).propagation
    assert compile_plan(settings, 1).export == ExportPlan(resource=(("service.name", UNKNOWN_SERVICE),))
    sampling = settings.sampling
    assert SamplingPlan(sampling.root, sampling.per_second, sampling.parent_based) == SamplingPlan()
    assert SpansPlan(settings.spans.routes, settings.spans.query) == SpansPlan()
    assert SpansPlan(settings.spans.routes, settings.spans.query) == SpansPlan()
    named = PropagationPlan(extract=settings.propagation.extract, inject=settings.propagation.inject)
    assert {field.name: getattr(propagation, field.name) for field in fields(propagation)} == {
        field.name: getattr(named, field.name) for field in fields(named)
    }


def test_a_section_is_laid_over_another_key_by_key() -> None:
    wide = PropagationSettings.model_validate({"inject": ["b3"], "session": {"bridge": True}})
    narrow = PropagationSettings.model_validate({"mode": "participate", "session": {"inject": "X-S"}})
    merged = wide.merge(narrow)
    assert (merged.inject, merged.mode) == (wide.inject, "participate")
    assert (merged.session.inject, merged.session.bridge) == ("X-S", True)


def test_pydantic_settings_reads_nothing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOUND", '{"listen": "127.0.0.1:1"}')
    assert Settings.from_layers([]) == load(environ={}).settings
