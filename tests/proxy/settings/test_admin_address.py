"""Where a health check asks: what `load` would say, found without loading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import SettingsError
from proxy.settings import load
from proxy.settings.admin_address import admin_address, first_process

TEXTS = [
    "",
    "inbound: {listen: off}",
    "admin:",
    "admin: {}",
    "admin: {listen: 127.0.0.1:1}",
    "admin: {listen: '[::1]:1'}",
    "admin: {listen: LOCALHOST:1}",
    "admin: {listen: unix:/run/a.sock}",
    "admin: {listen: off}",
    "admin: {listen: OFF}",
    "admin: {listen: null}",
    "admin: {listen: false}",
    "inbound: &a {listen: '127.0.0.1:3'}\noutbound: {listen: off}\nadmin: {<<: *a, listen: 127.0.0.1:4}",
]


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OPS_SIDECAR_ADMIN__LISTEN": "127.0.0.1:2"},
        {"OPS_SIDECAR_ADMIN__LISTEN": "off"},
        {"OPS_SIDECAR_ADMIN": "{listen: '127.0.0.1:4'}"},
        {"OPS_SIDECAR_ADMIN__LISTEN": ""},
    ],
    ids=str,
)
def test_it_is_where_run_would_put_it(tmp_path: Path, text: str, environ: dict[str, str]) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(text, encoding="utf-8")
    environ = {**environ, "OPS_SIDECAR_CONFIG": str(file)}
    listen = load(environ=environ).settings.admin.listen
    assert admin_address(environ).lower() == (str(listen) if listen is not None else "")


@pytest.mark.parametrize(
    "environ",
    [
        {"OPS_SIDECAR_ADMIN__LISTEN": "nowhere"},
        {"OPS_SIDECAR_CONFIG": "/nonexistent.yaml"},
        {"OPS_SIDECAR_ADMIN": "{listen: nowhere}"},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_told_as_run_would(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as expected:
        load(environ=environ)
    with pytest.raises(SettingsError) as found:
        admin_address(environ)
    assert found.value.problems == expected.value.problems


def command_line(tmp_path: Path, *words: str) -> str:
    """A file as /proc/1/cmdline has it."""
    path = tmp_path / "cmdline"
    path.write_bytes(b"".join(word.encode() + b"\0" for word in words))
    return str(path)


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (("/opt/a/bin/python3", "/opt/a/bin/ops-sidecar", "run", "--admin", "x:1"), ["run", "--admin", "x:1"]),
        (("/sbin/docker-init", "--", "ops-sidecar", "run", "--admin=x:1"), ["run", "--admin=x:1"]),
        (("/opt/a/bin/ops-sidecar", "run"), ["run"]),
        (("/opt/a/bin/ops-sidecar", "console", "--listen", "x:1"), ["console", "--listen", "x:1"]),
        (("ops-sidecar", "demo", "--admin", "x:1"), []),
        (("my-app", "run", "--admin", "x:1"), []),
        ((), []),
    ],
)
def test_the_flags_of_a_containers_first_process(tmp_path: Path, words: tuple[str, ...], flags: list[str]) -> None:
    assert first_process(command_line(tmp_path, *words)) == flags


def test_without_a_first_process(tmp_path: Path) -> None:
    assert first_process(str(tmp_path / "nothing")) == []


@pytest.mark.parametrize(
    ("flags", "address"),
    [
        ((), "127.0.0.1:2"),
        (("--app", "http://a:1", "--admin", "127.0.0.1:5"), "127.0.0.1:5"),
        (("--admin=127.0.0.1:5",), "127.0.0.1:5"),
        (("--set", "admin.listen=127.0.0.1:6", "--admin", "127.0.0.1:5"), "127.0.0.1:6"),
        (("--set=admin.listen = unix:/run/a.sock",), "unix:/run/a.sock"),
        (("--set", "admin.listen=off"), ""),
        (("--set", "log.level=debug", "--admin"), ""),
    ],
)
def test_flags_count_most(flags: tuple[str, ...], address: str) -> None:
    assert admin_address({"OPS_SIDECAR_ADMIN__LISTEN": "127.0.0.1:2"}, ["run", *flags]) == address


def test_a_file_that_a_flag_names(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("admin: {listen: '127.0.0.1:7'}", encoding="utf-8")
    assert admin_address({"OPS_SIDECAR_CONFIG": "/nowhere"}, ["run", "--config", str(file)]) == "127.0.0.1:7"


@pytest.mark.parametrize(
    ("environ", "flags", "address"),
    [
        ({}, (), "127.0.0.1:9083"),
        ({"OPS_SIDECAR_ADMIN__LISTEN": "127.0.0.1:2"}, (), "127.0.0.1:9083"),
        ({"OPS_SIDECAR_CONSOLE__LISTEN": "0.0.0.0:3"}, (), "0.0.0.0:3"),
        ({"OPS_SIDECAR_CONSOLE__LISTEN": "0.0.0.0:3"}, ("--listen", "0.0.0.0:4", "--otlp", "0.0.0.0:5"), "0.0.0.0:4"),
        ({"OPS_SIDECAR_CONSOLE": "{listen: '127.0.0.1:6'}"}, (), "127.0.0.1:6"),
        ({"OPS_SIDECAR_CONSOLE__LISTEN": "off"}, (), "127.0.0.1:9083"),
    ],
)
def test_a_console_answers_at_its_page(environ: dict[str, str], flags: tuple[str, ...], address: str) -> None:
    assert admin_address(environ, ["console", *flags]) == address


@pytest.mark.parametrize(
    "text",
    ["admin: 5", "admin: [a]", "admin: {listen: 'a:1', listen: 'b:1'}", "a: [", "admin: {listen: 5}",
     "admin: {listen: true}", "admin: {listen: 'a:123456'}", "admin: {listen: 'a b:1'}"],
)  # fmt: skip
def test_a_file_that_is_wrong_is_told_as_run_would(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(text, encoding="utf-8")
    environ = {"OPS_SIDECAR_CONFIG": str(file)}
    with pytest.raises(SettingsError) as expected:
        load(environ=environ)
    with pytest.raises(SettingsError) as found:
        admin_address(environ)
    assert found.value.problems == expected.value.problems
