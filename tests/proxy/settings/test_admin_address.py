"""Where a health check asks: what `load` would say, found without loading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import SettingsError
from proxy.settings import load
from proxy.settings.admin_address import admin_address

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
