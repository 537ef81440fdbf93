"""The version that metrics, spans and pages name."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from proxy import own_version


def test_it_is_the_installed_one() -> None:
    assert own_version.own_version() == version("ops-sidecar")


def test_from_its_sources_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_version, "version", lambda _: version("there-is-no-such-package"))
    assert own_version.own_version() == "unknown"
