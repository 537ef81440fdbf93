"""config/compose and docker-compose.yml, as far as they can be judged without an engine; tests/compose/ runs them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = {
    "docker-compose.yml": "demo.py",
    "config/compose/minimal.yml": "minimal.py",
    "config/compose/migration.yml": "migration.py",
    "config/compose/monitoring.yml": "monitoring.py",
    "config/compose/collector.yml": "collector.py",
    "config/compose/jaeger.yml": "jaeger.py",
}  # each with the check that runs it
COLLECTOR = "otel-collector/collector.yaml"
OURS = re.compile(r"ops-sidecar(-demo(-[a-z]+)?)?:local\Z")


def services(file: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["services"]
    return found


def test_no_file_is_left_out() -> None:
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "config" / "compose").glob("*.yml")}
    assert there | {"docker-compose.yml"} == set(FILES)


@pytest.mark.parametrize(("file", "check"), FILES.items())
def test_a_check_runs_it(file: str, check: str) -> None:
    script = (ROOT / "tests" / "compose" / "run.sh").read_text(encoding="utf-8")
    assert (ROOT / "tests" / "compose" / check).exists()
    assert re.search(rf"checks=\(.*\b{check.removesuffix('.py')}\b.*\)", script)


@pytest.mark.parametrize("file", FILES)
def test_images_of_others_stand_behind_a_profile(file: str) -> None:
    """What `up` needs is built here."""
    for name, service in services(file).items():
        assert OURS.match(service["image"]) or service.get("profiles"), name


@pytest.mark.parametrize("file", FILES)
def test_each_image_is_built_once(file: str) -> None:
    """By one service for all: a Docker without buildx builds an image as often as services say how."""
    there = [service["image"] for service in services(file).values() if OURS.match(service["image"])]
    built = [service["image"] for service in services(file).values() if "build" in service]
    assert sorted(built) == sorted(set(there))


def test_one_name_is_one_image() -> None:
    """Whichever file builds it: from the same place, with the same arguments, never compiled, which takes minutes."""
    built: dict[str, set[str]] = {}
    for file in FILES:
        for service in services(file).values():
            if "build" not in service or not OURS.match(service["image"]):
                continue
            build = service["build"] if isinstance(service["build"], dict) else {"context": service["build"]}
            context = (ROOT / file).parent / build["context"]
            dockerfile = context / build.get("dockerfile", "Dockerfile")
            how = f"{dockerfile.resolve()} {sorted(build.get('args', {}).items())}"
            built.setdefault(service["image"], set()).add(how)
    assert all(len(ways) == 1 for ways in built.values()), built
    assert built["ops-sidecar-demo:local"] == {f"{ROOT / 'Dockerfile'} [('COMPILE', '0')]"}
    assert "ops-sidecar:local" not in built  # `make image` has that name


@pytest.mark.parametrize("file", FILES)
def test_sidecars_follow_their_services(file: str) -> None:
    """In its network, restarted with it, brought back after a crash, given time to drain."""
    found = {name: one for name, one in services(file).items() if "network_mode" in one}
    assert found
    for name, one in found.items():
        of = one["network_mode"].removeprefix("service:")
        assert one["depends_on"][of]["restart"] is True, name
        assert one["restart"] == "unless-stopped", name
        assert one["stop_grace_period"] == "40s", name
        told = str(one.get("command", "")) + str(one.get("environment", ""))
        assert re.search(r"inbound.exit_with_app_s=10|EXIT_WITH_APP_S': '10'", told), name
        assert re.search(r"drain.outbound_linger_s=5|OUTBOUND_LINGER_S': '5'", told), name


@pytest.mark.parametrize("file", FILES)
def test_ports_are_published_on_loopback(file: str) -> None:
    for name, service in services(file).items():
        for port in service.get("ports", ()):
            assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z]+_PORT:-\d+\}:\d+", port), name


def test_the_collectors_pipelines_are_whole() -> None:
    """Each part is configured, and each that is configured has its place; it listens where sidecars send."""
    found = yaml.safe_load((ROOT / "config" / COLLECTOR).read_text(encoding="utf-8"))
    pipelines = found["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert {name for pipeline in pipelines for name in pipeline[kind]} == set(found[kind])
    assert set(found["service"]["extensions"]) == set(found["extensions"])
    assert found["receivers"]["otlp"]["protocols"]["http"]["endpoint"] == "0.0.0.0:4318"
    assert found["exporters"]["otlphttp"]["endpoint"] == "http://console:4318"
