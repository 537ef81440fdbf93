"""The image of another processor, by the same Dockerfile: built and run under emulation (`engine` says how to ask)."""

from __future__ import annotations

import json

from engine import DOCKER, output, run, until

IMAGE = "ops-sidecar-arm64:local"
RUN = (DOCKER, "run", "--platform", "linux/arm64", "--network=none", "--read-only", "--cap-drop=ALL")
TRACE = "80f198ee56343ba864fe8b2a57d3eff7"


def it_is_of_that_processor() -> None:
    """Its label says so, and so does the Python inside."""
    assert output(DOCKER, "image", "inspect", "--format", "{{.Architecture}}", IMAGE) == "arm64"
    code = "import platform; print(platform.machine())"
    assert output(*RUN, "--rm", "--entrypoint=/opt/ops-sidecar/bin/python3", IMAGE, "-c", code) == "aarch64"


def it_says_its_version() -> None:
    """Not compiled: under emulation even this build takes some twenty minutes."""
    found = json.loads(output(*RUN, "--rm", IMAGE, "version", "--json"))
    label = output(
        DOCKER, "image", "inspect", "--format", '{{index .Config.Labels "org.opencontainers.image.version"}}', IMAGE
    )
    assert (found["ops-sidecar"], found["compiled"]) == (label, False), found


def it_translates() -> None:
    said = output(*RUN, "--rm", IMAGE, "translate", "--to", "b3multi", f"traceparent: 00-{TRACE}-e457b5a2e4d86bd1-01")
    assert f"X-B3-TraceId: {TRACE}" in said, said


def it_becomes_ready() -> None:
    """With its own event loop and parser, which are wheels of that processor."""
    name = output(*RUN, "--detach", IMAGE)
    try:
        until("it is not ready", lambda: output(DOCKER, "exec", name, "ops-sidecar", "health", "--ready", ok=(0,)), 120)
    finally:
        output(DOCKER, "rm", "--force", name)


CHECKS = (it_is_of_that_processor, it_says_its_version, it_translates, it_becomes_ready)

if __name__ == "__main__":
    raise SystemExit(run("arm64", CHECKS))
