"""`ops-sidecar console` without its console: what its arguments and its ends become; and what other commands need."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
from dataclasses import asdict
from typing import Any

import pytest

from proxy.cli import commands, console, redirect
from proxy.errors import StartError
from proxy.plan.console import ConsolePlan


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plans that a console was run with, each with what it would end with."""
    found: list[Any] = []

    def run_console(plan: ConsolePlan, until: Any = None) -> None:
        found.append((plan, until))

    monkeypatch.setattr("proxy.console.run.run_console", run_console)
    monkeypatch.setattr("proxy.console.run.wait_for_end_of_input", lambda: "the end of the input")
    return found


def test_without_arguments_it_listens_where_the_page_is_expected(ran: list[Any]) -> None:
    assert console.run([]) == 0
    ((plan, until),) = ran
    assert (plan.listen, plan.otlp, plan.store, plan.token, until) == (
        "127.0.0.1:9083", "127.0.0.1:4318", "", "auto", None,
    )  # fmt: skip


def test_each_flag_is_a_setting(ran: list[Any]) -> None:
    flags = (
        "--listen", "127.0.0.1:1", "--otlp", "127.0.0.1:2", "--store", "/tmp/a.db", "--store-bytes", "1MiB",
        "--token", "let-me-in-please", "--forward", "http://c:4318", "--set", " console.max_age_s = 7", "--set",
        "console.cors_origins=https://a",
    )  # fmt: skip
    assert console.run(flags) == 0
    plan = ran[0][0]
    assert (plan.listen, plan.otlp, plan.store, plan.store_bytes) == (
        "127.0.0.1:1",
        "127.0.0.1:2",
        "/tmp/a.db",
        1 << 20,
    )
    assert (plan.token, plan.forward.url, plan.max_age_s) == ("let-me-in-please", "http://c:4318", 7.0)
    assert plan.cors_origins == ("https://a",)
    assert console.run(["--otlp", "off"]) == 0
    assert ran[1][0].otlp == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "console.listen"], "--set = console.listen (from command line): expected --set key.path=value"),
        (["--set", "console..listen=1"], "expected --set key.path=value"),
        (["--set", "=1"], "expected --set key.path=value"),
        (["--listen", "nowhere"], "(from flag --listen)"),
        (["--set", "console.store_bytes=x"], "(from flag --set console.store_bytes)"),
    ],
)
def test_wrong_settings(words: list[str], said: str, ran: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert console.run(words) == 2
    assert said in capsys.readouterr().err
    assert ran == []


def test_one_that_cannot_start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StartError("the port is taken")

    monkeypatch.setattr("proxy.console.run.run_console", fails)
    assert console.run([]) == 1
    assert capsys.readouterr().err == "ops-sidecar console: cannot start: the port is taken\n"


def test_beside_a_sidecar_it_is_nice_and_is_told_its_plan(ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    told = ConsolePlan(listen="127.0.0.1:7", otlp="")
    nice: list[int] = []
    monkeypatch.setattr(console.os, "nice", nice.append)
    monkeypatch.setattr(console.sys, "stdin", io.StringIO(json.dumps(asdict(told)) + "\nmore"))
    assert console.run(["--beside-sidecar"]) == 0
    assert (ran, nice) == ([(told, "the end of the input")], [5])
    assert console.run([]) == 0
    assert nice == [5]


def test_what_an_extra_brings() -> None:
    """A command that lacks one of these says what to install."""
    assert {"cryptography", "ruamel"} == commands.OF_KUBERNETES
    assert {
        "cryptography", "ruamel", "aiohttp", "google", "h11", "mcp", "httptools", "uvloop", "pydantic", "pydantic_core",
        "pydantic_settings", "yaml",
    } == commands.NEEDS_EXTRA  # fmt: skip


@pytest.mark.parametrize(
    ("missing", "extras"),
    [
        ("uvloop", "sidecar"),
        ("google.protobuf", "sidecar"),
        ("mcp", "sidecar,mcp"),
        ("ruamel.yaml", "sidecar,kubernetes"),
    ],
)
def test_a_command_without_its_packages(
    missing: str, extras: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(name: str) -> Any:
        assert name == "proxy.cli.check"
        raise ModuleNotFoundError(name=missing)

    monkeypatch.setattr(commands, "import_module", fails)
    assert commands.main(["check"]) == 2
    assert capsys.readouterr().err == (
        f"ops-sidecar: `check` needs the package {missing.partition('.')[0]}, which is not installed.\n"
        f"Install the sidecar with its dependencies:  pip install 'ops-sidecar[{extras}]'\n"
    )


def test_a_module_of_ours_that_is_missing_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: str) -> Any:
        raise ModuleNotFoundError(name="proxy.gone")

    monkeypatch.setattr(commands, "import_module", fails)
    with pytest.raises(ModuleNotFoundError):
        commands.main(["check"])


def test_the_flag_for_the_version_takes_what_the_command_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["--version", "--json"]) == 0
    assert "ops-sidecar" in json.loads(capsys.readouterr().out)


def test_a_key_that_interrupts_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "import_module", interrupted)
    assert commands.main(["check"]) == 130


def test_rules_that_nft_does_not_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ends: list[Any] = [
        subprocess.TimeoutExpired("nft", 30),
        subprocess.CompletedProcess("nft", 3, "", ""),
        subprocess.CompletedProcess("nft", 1, "", " first\nsecond"),
        subprocess.CompletedProcess("nft", 0, "", "warning"),
    ]

    def run(*arguments: Any, **more: Any) -> Any:
        assert (arguments, more["timeout"], more["input"]) == ((["nft", "--file", "-"],), 30.0, "the rules")
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(redirect.subprocess, "run", run)
    assert [redirect._set("the rules") for _ in range(4)] == [1, 1, 1, 0]
    assert capsys.readouterr().err.splitlines() == [
        "ops-sidecar redirect: nft did not end within 30 s",
        "ops-sidecar redirect: nft refused: 3",
        "ops-sidecar redirect: nft refused: first",
    ]


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("4294967295", 4_294_967_295), ("007", 7)])
def test_the_number_of_a_user(text: str, number: int) -> None:
    assert redirect._read(redirect._user)(text) == number


@pytest.mark.parametrize("text", ["4294967296", "-1", "", "root", "²", "١"])
def test_what_is_not_the_number_of_a_user(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        redirect._read(redirect._user)(text)
    assert str(caught.value) == f"{text!r}: expected the number of a user"
