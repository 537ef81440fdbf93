"""What the image promises, whatever runs it (`engine` says how to ask)."""

from __future__ import annotations

import json
import subprocess

from engine import DOCKER, output, run

IMAGE, BASE = "ops-sidecar:local", "python:3.13-slim"
MOST_ON_TOP = 80_000_000  # bytes
CPU_LIMIT_S = 0.06  # of a health check
HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true")


def python(code: str, *options: str) -> str:
    """What a piece of Python prints in a container of the image."""
    words = (DOCKER, "run", "--rm", "--network=none", *options, "--entrypoint=/opt/ops-sidecar/bin/python3", IMAGE)
    return output(*words, "-c", code)


def size(image: str) -> int:
    return int(output(DOCKER, "image", "inspect", "--format", "{{.Size}}", image))


def it_is_small() -> None:
    """On top of its base."""
    on_top = size(IMAGE) - size(BASE)
    assert on_top < MOST_ON_TOP, f"{on_top:,} bytes"


def it_holds_no_tools() -> None:
    """No compiler, no pip in the environment, no pip cache, no build backend."""
    code = """if True:
        import importlib.util, shutil, sys
        from pathlib import Path
        found = [tool for tool in ("cc", "gcc", "g++", "clang", "ld", "as", "make") if shutil.which(tool)]
        specs = filter(None, map(importlib.util.find_spec, ("hatchling", "mypy", "pip", "setuptools")))
        found += [spec.name for spec in specs if spec.origin.startswith(sys.prefix)]
        found += [place for place in ("/root/.cache", "/build") if Path(place).exists()]
        print(found)"""
    assert python(code, "--user=0") == "[]"


def its_data_plane_is_compiled() -> None:
    """As it is built without arguments: the sidecar's hot modules are machine code."""
    found = json.loads(output(DOCKER, "run", "--rm", IMAGE, "version", "--json"))
    assert found["compiled"] is True, found


def it_says_what_it_is() -> None:
    """Labels, a numeric user that is not root, TERM, a health check."""
    config = json.loads(output(DOCKER, "image", "inspect", "--format", "{{json .Config}}", IMAGE))
    labels = {name.rpartition(".")[2] for name in config["Labels"] if name.startswith("org.opencontainers.image.")}
    assert labels >= {"title", "description", "licenses", "version", "revision", "name"}, config["Labels"]
    assert (config["User"], config["StopSignal"]) == ("65532:65532", "SIGTERM")
    assert config["Healthcheck"]["Test"] == ["CMD", "ops-sidecar", "health"]


def its_bill_of_materials_is_complete() -> None:
    """Everything that is installed stands in it, and nothing else, each with hashes."""
    code = """if True:
        import json, re
        from importlib.metadata import distributions
        from pathlib import Path
        bill = json.loads(Path("/opt/ops-sidecar/share/sbom.cdx.json").read_text())
        told = {(one["name"], one["version"]) for one in bill["components"] if one["hashes"]}
        there = {(re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(), one.version) for one in distributions()}
        ours = {(bill["metadata"]["component"]["name"], bill["metadata"]["component"]["version"])}
        print(sorted((told | ours) ^ there))"""
    difference = python(code)
    assert difference == "[]", difference


def its_health_check_follows_the_flags_and_costs_little() -> None:
    """The admin listener is elsewhere, by a flag; Docker's own check finds it."""
    words = ("run", "--detach", "--network=none", "--init", *HARDENED, IMAGE, "run", "--admin", "127.0.0.1:9999")
    name = output(DOCKER, *words)
    try:
        output(DOCKER, "exec", name, "ops-sidecar", "wait", "--admin", "127.0.0.1:9999")
        output(DOCKER, "exec", name, "ops-sidecar", "health")
        measure = """if True:
            import resource, subprocess
            def cpu_s():
                used = resource.getrusage(resource.RUSAGE_CHILDREN)
                return used.ru_utime + used.ru_stime
            found = []
            for _ in range(5):
                before = cpu_s()
                subprocess.run(["ops-sidecar", "health"], check=True, stdout=subprocess.DEVNULL)
                found.append(cpu_s() - before)
            print(sorted(found)[2])"""
        cpu_s = float(output(DOCKER, "exec", name, "python3", "-c", measure))
        assert cpu_s < CPU_LIMIT_S, f"{cpu_s:.3f} s of CPU"
    finally:
        output(DOCKER, "rm", "--force", name)


# As kubectl starts functions of kustomize: the image of "kubernetes/function/Dockerfile".
FUNCTION = ("--network=none", "--user=nobody", "--security-opt=no-new-privileges", "ops-sidecar-inject:local")
RESOURCES = """\
apiVersion: config.kubernetes.io/v1
kind: ResourceList
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: orders}
  spec:
    containers:
    - {name: orders, image: orders:1, ports: [{containerPort: 3000}]}
functionConfig:
  apiVersion: v1
  kind: ConfigMap
  metadata: {name: sidecar}
  data: {kubernetes.image: "registry.internal/ops-sidecar:1"}
"""


def it_injects_as_a_function_of_kustomize() -> None:
    """A ResourceList comes in and goes out, with the settings of its functionConfig."""
    words = (DOCKER, "run", "--rm", "--interactive", *FUNCTION)
    done = subprocess.run(words, input=RESOURCES, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "image: registry.internal/ops-sidecar:1" in done.stdout, done.stdout
    assert "http://127.0.0.1:3000" in done.stdout, done.stdout


CHECKS = (
    it_is_small,
    it_holds_no_tools,
    its_data_plane_is_compiled,
    it_says_what_it_is,
    its_bill_of_materials_is_complete,
    its_health_check_follows_the_flags_and_costs_little,
    it_injects_as_a_function_of_kustomize,
)

if __name__ == "__main__":
    raise SystemExit(run("image", CHECKS))
