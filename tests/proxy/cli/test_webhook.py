"""`ops-sidecar webhook`: its arguments. What it does: tests/proxy/kubernetes/webhook."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.address import Address
from proxy.cli import webhook
from proxy.cli.commands import main
from proxy.errors import StartError
from proxy.kubernetes.webhook import run as webhook_run
from proxy.telemetry.log import fields


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--listen", "off"], "expected host:port"),
        (["--listen", "x"], "'x'"),
        (["--health", "unix:/x"], "expected host:port"),
        (["--health", "unix:/x"], "argument --health: 'unix:/x'"),
        (["--cert-file", "a"], "give --cert-file and --key-file together"),
        (["--key-file", "a"], "give --cert-file and --key-file together"),
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


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options with which the webhook would have been served."""
    told: list[Any] = []

    async def serve(options: Any, configure: Callable[..., Any], say: Callable[[str], None]) -> None:
        told.append(options)
        say("serving")
        raise StartError("enough")

    monkeypatch.setattr(webhook_run, "serve", serve)
    return told


@pytest.mark.parametrize(
    ("account", "arguments", "namespace"),
    [("shop\n", [], "shop"), (None, [], "ops-sidecar"), ("shop\n", ["--namespace", "mine"], "mine")],
)
def test_its_namespace_is_that_of_its_service_account(
    account: str | None,
    arguments: list[str],
    namespace: str,
    served: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Read where Kubernetes puts it; outside of a cluster that of the manifests."""
    assert str(webhook._NAMESPACE) == "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
    if account is not None:
        (tmp_path / "namespace").write_text(account, encoding="utf-8")
    monkeypatch.setattr(webhook, "_NAMESPACE", tmp_path / "namespace")
    assert main(["webhook", *arguments]) == 1
    assert served[0].namespace == namespace
    assert capsys.readouterr().err == "serving\nops-sidecar webhook: cannot start: enough\n"


def test_its_arguments_reach_it(served: list[Any]) -> None:
    main(["webhook"])
    flags = "--listen 127.0.0.1:1 --health [::1]:2 --service s --secret c --configuration w"
    main(["webhook", *flags.split(), "--cert-file", "a.pem", "--key-file", "b.pem"])
    usual, told = served
    assert (usual.listen, usual.health) == (Address("0.0.0.0", 9443), Address("0.0.0.0", 9084))
    assert (usual.service, usual.secret) == ("ops-sidecar-webhook", "ops-sidecar-webhook")
    assert (usual.configuration, usual.files) == ("zz-ops-sidecar", None)
    assert (told.listen, told.health) == (Address("127.0.0.1", 1), Address("::1", 2))
    assert (told.service, told.secret, told.configuration) == ("s", "c", "w")
    assert told.files == (Path("a.pem"), Path("b.pem"))


def test_its_log_goes_to_standard_error(
    served: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the sidecar's own form, from `info` on."""
    root, log = logging.getLogger(), logging.getLogger("proxy.kubernetes.webhook")
    monkeypatch.setattr(root, "handlers", [])
    before = root.level
    try:
        main(["webhook"])
        log.debug("not this")
        log.info("a pod", extra=fields(uid="u"))
        log.warning("another")
    finally:
        root.setLevel(before)
    lines = capsys.readouterr().err.splitlines()[2:]
    assert [line.partition(" ")[2].split() for line in lines] == [
        ["INFO", "a", "pod", "uid=u"],
        ["WARNING", "another"],
    ]
