"""The official SDK of Node.js sends to a console: JSON, protobuf, gRPC. Skipped by name where Node.js is missing."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from lab import npm
from lab.consoles import Console, running

FOLDER = Path(__file__).parent / "node"


@pytest.mark.parametrize("kind", ["http", "proto", "grpc"])
async def test_what_node_sends_is_shown(kind: str) -> None:
    reason = await asyncio.to_thread(npm.reason_it_is_missing, FOLDER)
    if reason is not None:
        pytest.skip(f"Node.js to the console: {reason}")
    async with running() as console:
        environment = {"PATH": os.environ["PATH"], "COLLECTOR": console.otlp, "KIND": kind}
        done = await asyncio.to_thread(_run, environment)
        assert done.returncode == 0, done.stderr
        await check(console, done.stdout.strip())


def _run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", "exporting.cjs"], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


async def check(console: Console, trace: str) -> None:
    said = await console.until(f"/traces/{trace}", lambda said: len(said["spans"]) == 2)
    outer, inner = sorted(said["spans"], key=lambda span: span["parent"] is not None)  # they may start at one time
    assert (outer["name"], inner["name"], inner["parent"]) == ("outer", "inner", outer["id"])
    assert (inner["service"], inner["scope"], inner["status"], inner["message"]) == (
        "node-shop", "made-by-node", "error", "no money",
    )  # fmt: skip
    assert {key: inner["attrs"][key] for key in ("list", "half", "yes", "n")} == {
        "list": ["a", "b"], "half": 0.5, "yes": True, "n": 7,
    }  # fmt: skip
    assert [(one["name"], one["attrs"]) for one in inner["events"]] == [("paid", {"amount": 3})]
    assert said["errors"] == 1
