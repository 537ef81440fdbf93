"""`ops-sidecar webhook`: its arguments. What it does: tests/proxy/kubernetes/webhook."""

from __future__ import annotations

import pytest

from proxy.cli.commands import main


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--listen", "off"], "expected host:port"),
        (["--listen", "x"], "'x'"),
        (["--health", "unix:/x"], "expected host:port"),
        (["--cert-file", "a"], "give --cert-file and --key-file together"),
    ],
)
def test_wrong_arguments(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["webhook", *arguments])
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


def test_wrong_settings_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["webhook", "--set", "kubernetes.mode=other"]) == 2
    assert "kubernetes.mode = other" in capsys.readouterr().err


def test_outside_of_a_cluster_it_says_what_it_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert main(["webhook", "--listen", "127.0.0.1:0", "--health", "127.0.0.1:0"]) == 1
    assert "cannot start: this is not a pod of a cluster: give --cert-file and --key-file" in capsys.readouterr().err
