"""The command line as a whole: help that teaches, exit codes, and what works without the `sidecar` extra."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab.texts import check_text

from proxy.cli.commands import NEEDS_EXTRA, main
from proxy.cli.help import COMMANDS

# Runs a command in a process where the packages of the extra cannot be imported, as in an installation of the base
# alone.
_BASE_ONLY = f"""
import sys
for name in {sorted(NEEDS_EXTRA)!r}:
    sys.modules[name] = None
from proxy.__main__ import main
raise SystemExit(main(sys.argv[1:]))
"""


def base_only(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _BASE_ONLY, *arguments], capture_output=True, text=True, timeout=20, check=False
    )


@pytest.mark.parametrize("command", ["run", "check"])
def test_without_the_extra_it_says_what_to_install(command: str) -> None:
    result = base_only(command)
    assert result.returncode == 2
    assert "pip install 'ops-sidecar[sidecar]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_translate_and_version_need_no_extra() -> None:
    result = base_only(
        "translate", "--to", "b3", "traceparent: 00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01"
    )
    assert (result.returncode, result.stdout) == (0, "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1\n")
    assert base_only("version").returncode == 0


def test_a_missing_package_of_our_own_is_a_bug_and_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "proxy.cli.version", None)
    with pytest.raises(ModuleNotFoundError):
        main(["version"])


def test_a_reader_that_leaves_is_an_error_without_a_traceback() -> None:
    """As in `ops-sidecar version | head -0`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "proxy", "version"],
            stdout=gone,
            stderr=subprocess.PIPE,
            timeout=20,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (1, b"")


def help_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(capsys)
    for name, command in COMMANDS.items():
        assert name in text
        assert command.summary in text


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "demo"])
def test_help_teaches_with_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    text = help_of(capsys, command)
    assert "examples:" in text
    assert f"ops-sidecar {command}" in text.partition("examples:")[2]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other versions of argparse lay a page out in other ways")
def test_every_word_of_help_was_reviewed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`help.txt` has what each `--help` says: a change of any text shows there."""
    monkeypatch.setenv("COLUMNS", "120")
    pages = [help_of(capsys), *(f"$ ops-sidecar {name} --help\n{help_of(capsys, name)}" for name in COMMANDS)]
    check_text("\n".join(pages), Path(__file__).parent / "help.txt")


def test_every_command_has_its_module_and_every_module_its_command() -> None:
    folder = Path(sys.modules["proxy.cli.commands"].__file__ or "").parent
    modules = {path.stem for path in folder.rglob("*.py") if "\ndef run(argv" in path.read_text(encoding="utf-8")}
    assert modules == set(COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["rum"], ["run", "--inbond", "x"], ["check", "a", "--config", "b"]])
def test_wrong_arguments_exit_with_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: ops-sidecar" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--inbond", "x"], ["--inbond=http://127.0.0.1:8080/with/a/long/path"]])
def test_an_unknown_flag_is_told_what_it_may_have_meant(capsys: pytest.CaptureFixture[str], wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", *wrong])
    assert "did you mean --inbound?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("check",), ("version",), ("--help",), ("run", "--help")], ids=" ".join)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_traceback(arguments: tuple[str, ...], unbuffered: str) -> None:
    """As in `ops-sidecar check | head -1`: whether what is said fails at once, or at the end, when it is flushed."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody_reads:
        result = subprocess.run(
            [sys.executable, "-m", "proxy", *arguments],
            stdout=nobody_reads,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            text=True,
            timeout=20,
            check=False,
        )
    assert result.stderr == ""
    assert result.returncode in (0, 1)  # argparse passes over it where its help fails at once
