"""The demo's sidecars as processes: how they are set up and started, and what is told where one fails."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from lab.children import Child, starting

import proxy
from proxy.cli.flags import add_settings_flags, collect_flags
from proxy.demo import sidecars
from proxy.demo.sidecars import DemoError, Sidecar, SidecarSpec, exporting, first_gone, running, specs
from proxy.settings import load
from proxy.settings.effective import effective

APPS, NEXT = {"shop": 1, "orders": 2, "billing": 3}, {"shop": 11, "orders": 12, "billing": 13}
INJECT = {"shop": "tracecontext", "orders": "b3multi", "billing": "jaeger"}
READY = ("info inbound listening on 127.0.0.1:5", "info outbound listening on 127.0.0.1:6", "info ops-sidecar ready")


def settings_of(spec: SidecarSpec, folder: Path) -> dict[str, object]:
    """The keys that it sets, as its sidecar reads them."""
    parser = argparse.ArgumentParser()
    add_settings_flags(parser)
    flags, wrong = collect_flags(parser.parse_args(spec.arguments))
    file = folder / "sidecar.yaml"
    file.write_text(spec.file_text, encoding="utf-8")
    loaded = load(file if spec.file_text else None, environ=spec.environment, flags=flags, wrong=wrong)
    entries = {entry.key: entry for entry in effective(loaded)}
    return {".".join(path): entries[".".join(path)].value for path in loaded.sources if ".".join(path) in entries}


def everywhere(name: str) -> dict[str, object]:
    """What each of them says in its own way."""
    return {
        "inbound.listen": "127.0.0.1:0",
        "inbound.app": f"http://127.0.0.1:{APPS[name]}",
        "inbound.propagation.inject": [INJECT[name]],
        "outbound.listen": "127.0.0.1:0",
        "admin.listen": "127.0.0.1:0",
        "drain.outbound_linger_s": 0.0,
    }


@pytest.mark.parametrize(
    ("number", "name", "more"),
    [
        (0, "shop", {"inbound.listen": "127.0.0.1:9", "upstreams.0.name": "orders",
                     "upstreams.0.match": ["orders.internal"], "upstreams.0.target": "http://127.0.0.1:11"}),
        (1, "orders", {"upstreams.0.name": "billing", "upstreams.0.listen": "127.0.0.1:0",
                       "upstreams.0.target": "http://127.0.0.1:12"}),
        (2, "billing", {"upstreams.0.name": "shop", "upstreams.0.match": ["shop.internal"],
                        "upstreams.0.target": "http://127.0.0.1:13"}),
    ],
)  # fmt: skip
def test_each_is_set_up_in_its_own_way_to_the_same(
    number: int, name: str, more: dict[str, object], tmp_path: Path
) -> None:
    """By flags, by a file, by the environment."""
    spec = specs(APPS, NEXT, INJECT, "127.0.0.1:9")[number]
    assert spec.name == name
    assert [bool(spec.arguments), bool(spec.file_text), bool(spec.environment)] == [number == n for n in range(3)]
    assert settings_of(spec, tmp_path) == everywhere(name) | more


def test_any_port_is_the_entry_where_nobody_names_one(tmp_path: Path) -> None:
    assert settings_of(specs(APPS, NEXT, INJECT)[0], tmp_path)["inbound.listen"] == "127.0.0.1:0"


@pytest.mark.parametrize("reports", [False, True])
def test_one_that_exports(reports: bool) -> None:
    spec = SidecarSpec("shop", ("--admin", "off"), {"A": "b"}, "log: {}")
    told = {
        "OPS_SIDECAR_CONSOLE__REPORT__ENDPOINT": "http://c:4318",
        "OPS_SIDECAR_CONSOLE__REPORT__INTERVAL_S": "2",
    }
    assert exporting(spec, "http://c:4318", reports=reports) == SidecarSpec(
        "shop",
        ("--admin", "off"),
        {
            "A": "b",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            **(told if reports else {}),
        },
        "log: {}",
    )
    assert exporting(spec, "http://c:4318") == exporting(spec, "http://c:4318", reports=False)


def text_of(file: str) -> str | None:
    """None if it is not there."""
    return Path(file).read_text(encoding="utf-8") if Path(file).exists() else None


async def test_they_are_started_as_a_user_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is written for the one that has one. Settings of the caller's do not reach them."""
    for name in ("OPS_SIDECAR_LOG__LEVEL", "MIRASCOPE_PROPAGATOR", "OTEL_SERVICE_NAME"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("OTHER", "x")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    ours = SidecarSpec("a", ("--admin", "off"), {"OTEL_SERVICE_NAME": "a"}), SidecarSpec("b", file_text="log: {}\n")
    first, second = (
        Child(*READY),
        Child("odd listening on 127.0.0.1:7", *READY, "info inbound listening on 127.0.0.1:8"),
    )
    with starting(first, second):
        async with running(ours) as found:
            file = second.arguments[6]
            assert (Path(file).name, Path(file).parent.name[:17]) == ("b.yaml", "ops-sidecar-demo-")
            assert text_of(file) == "log: {}\n"
            assert list(found) == ["a", "b"]
            assert found["a"].url("inbound") == "http://127.0.0.1:5"
            assert found["b"].addresses == {
                "odd": ("127.0.0.1", 7), "inbound": ("127.0.0.1", 5), "outbound": ("127.0.0.1", 6)
            }  # fmt: skip
            with pytest.raises(DemoError) as caught:
                found["a"].url("admin")
    lines = "".join(f"\n    {line}" for line in READY)
    assert str(caught.value) == f"the sidecar of a has no listener admin, only inbound, outbound{lines}"
    program = (sys.executable, "-P", "-m", "proxy", "run")
    assert (first.arguments, second.arguments) == ((*program, "--admin", "off"), (*program, "--config", file))
    assert text_of(file) is None
    environment = first.options["env"]
    ours_alone = ("OPS_SIDECAR_", "MIRASCOPE_", "OTEL_")
    assert {name: value for name, value in environment.items() if name.startswith(ours_alone)} == {
        "OTEL_SERVICE_NAME": "a"
    }
    assert environment["OTHER"] == "x"
    assert environment["PYTHONPATH"] == f"{Path(proxy.__path__[0]).parent}:/elsewhere"
    assert first.options["start_new_session"] is True
    assert [first.options[name] for name in ("stdin", "stdout", "stderr")] == [
        asyncio.subprocess.DEVNULL, asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    ]  # fmt: skip
    assert (first.told, second.told) == (["TERM"], ["TERM"])


async def test_nobody_is_known_before_a_sidecar_has_said_where_it_listens() -> None:
    with pytest.raises(DemoError, match=r"^the sidecar of a has no listener admin, only none\n$"):
        Sidecar("a", Child()).url("admin")  # type: ignore[arg-type]  # as a process


async def test_their_logs_are_read_on_and_the_end_is_kept() -> None:
    child = Child(*READY)
    with starting(child):
        async with running([SidecarSpec("a")]) as found:
            for number in range(50):
                child.stderr.feed_data(b"line %d\xff\n" % number)
            await child.is_read()
            assert found["a"].tail() == "\n".join(f"    line {number}\ufffd" for number in range(10, 50))


async def test_one_that_does_not_end_is_killed_after_the_others_had_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (sidecars.START_TIMEOUT_S, sidecars.STOP_TIMEOUT_S) == (20.0, 5.0)
    monkeypatch.setattr(sidecars, "STOP_TIMEOUT_S", 0.01)
    children = Child(*READY), Child(*READY, is_deaf=True, leaves_log=True), Child(*READY)
    with starting(*children):
        async with running([SidecarSpec(name) for name in "abc"]):
            children[2].end(0)
    assert [child.told for child in children] == [["TERM"], ["TERM", "KILL"], []]


async def test_one_that_takes_its_time_to_end_is_not_killed() -> None:
    slow = Child(*READY, is_deaf=True)

    async def end_after_term() -> None:
        while not slow.told:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        slow.end(0)

    with starting(slow):
        async with running([SidecarSpec("a")]):
            ending = asyncio.create_task(end_after_term())
        await ending
        del ending
    assert slow.told == ["TERM"]


async def test_one_that_fails_ends_the_others_and_is_told_with_its_log() -> None:
    children = Child(*READY), Child("error a port is taken", code=3)
    with starting(*children), pytest.raises(DemoError) as caught:
        async with running([SidecarSpec(name) for name in "ab"]):
            pass
    assert str(caught.value) == "the sidecar of b ended with exit code 3\n    error a port is taken"
    assert children[0].told == ["TERM"]


async def test_one_that_is_never_ready_is_told_with_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecars, "START_TIMEOUT_S", 0.01)
    child = Child(*READY[:2], "info ops-sidecar ready soon")
    with starting(child), pytest.raises(DemoError) as caught:
        async with running([SidecarSpec("a")]):
            pass
    lines = "".join(f"\n    {line}" for line in (*READY[:2], "info ops-sidecar ready soon"))
    assert str(caught.value) == f"the sidecar of a is not ready after 0.01 s{lines}"
    assert child.told == ["TERM"]


async def test_the_first_that_is_gone() -> None:
    children = Child(), Child()
    ours: list[Any] = [Sidecar(name, child) for name, child in zip("ab", children, strict=True)]  # type: ignore[arg-type]
    with starting():
        waiting = asyncio.ensure_future(first_gone(ours))
        await asyncio.sleep(0)
        children[1].end(7)
        assert (await waiting).name == "b"
        del waiting


async def test_without_a_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a container run --read-only: what is missing and what would help, no traceback."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(DemoError, match="set TMPDIR"):
        async with running([]):
            pass
