"""The webhook's two servers: what each answers, and what the log says of a pod."""

from __future__ import annotations

import io
import json
import logging
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from proxy.errors import StartError
from proxy.kubernetes.configuration import configuration
from proxy.kubernetes.webhook import run, server
from proxy.kubernetes.webhook.certificates import Pair
from proxy.kubernetes.webhook.counts import Counts
from proxy.kubernetes.webhook.run import Options
from proxy.kubernetes.webhook.server import admission_application, health_application, server_context, use
from proxy.plan import Address

ENABLED, LEFT = {"ops-sidecar/inject": "enabled"}, {"ops-sidecar/inject": "disabled"}


def asked(labels: dict[str, str], *, uid: str = "u", **spec: Any) -> dict[str, Any]:
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a:1"}], **spec}}
    return {"apiVersion": "admission.k8s.io/v1", "request": {"uid": uid, "object": pod}}


@pytest.mark.parametrize(
    ("path", "body", "level", "result", "why"),
    [
        ("/pods", asked(ENABLED), logging.INFO, "injected", ""),
        ("/pods", asked({}), logging.INFO, "skipped", ""),
        ("/namespaces", asked({}), logging.INFO, "injected", ""),
        ("/namespaces", asked(LEFT), logging.INFO, "skipped", ""),
        ("/pods", asked(ENABLED, os={"name": "windows"}), logging.INFO, "skipped", "runs on Windows; left as it is"),
        ("/pods", asked(ENABLED, initContainers=[{"name": "ops-sidecar"}]), logging.WARNING, "restored",
         "another webhook dropped restartPolicy from the native sidecar; it was built on an API older than 1.28"),
        ("/pods", asked(ENABLED, containers=[{"name": "a", "ports": [{"containerPort": 9081}]}]), logging.WARNING,
         "failed", "the app has port 9081 itself; give the sidecar another: outbound.listen"),
    ],
)  # fmt: skip
async def test_a_review_is_answered_counted_and_told(
    path: str, body: dict[str, Any], level: int, result: Any, why: str, aiohttp_client: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    counts = Counts()
    client = await aiohttp_client(admission_application(configuration(None, []), counts))
    with caplog.at_level(logging.INFO, server.__name__):
        answer = await client.post(path, json=body)
    assert (answer.status, (await answer.json())["response"]["uid"]) == (200, "u")
    assert {name: count for name, count in counts.pods.items() if count} == {result: 1}
    ((record),) = [one for one in caplog.records if one.name == server.__name__]
    assert (record.levelno, record.getMessage()) == (level, "pod reviewed")
    assert record.__dict__["fields"] == {"uid": "u", "result": result, "why": why}


async def test_nothing_is_told_of_a_pod_that_has_its_sidecar(
    aiohttp_client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    counts = Counts()
    client = await aiohttp_client(admission_application(configuration(None, []), counts))
    complete = asked(ENABLED, initContainers=[{"name": "ops-sidecar", "restartPolicy": "Always"}])
    with caplog.at_level(logging.INFO, server.__name__):
        assert (await client.post("/pods", json=complete)).status == 200
    assert counts.pods["unchanged"] == 1
    assert [one for one in caplog.records if one.name == server.__name__] == []


@pytest.mark.parametrize("body", [b"{", b"{}"])
async def test_what_is_not_a_review_is_refused_and_counted(body: bytes, aiohttp_client: Any) -> None:
    counts = Counts()
    client = await aiohttp_client(admission_application(configuration(None, []), counts))
    answer = await client.post("/pods", data=body)
    assert answer.status == 400
    assert (await answer.text()).endswith("\n")
    assert (counts.refused, set(counts.pods.values())) == (1, {0})


@pytest.mark.parametrize(("size", "status"), [(8 * 1024 * 1024, 200), (8 * 1024 * 1024 + 1, 413)])
async def test_a_review_may_have_8_mib(size: int, status: int, aiohttp_client: Any) -> None:
    client = await aiohttp_client(admission_application(configuration(None, []), Counts()))
    text = json.dumps(asked({}))
    assert (await client.post("/pods", data=io.BytesIO(text.ljust(size).encode()))).status == status


async def test_health_and_metrics(aiohttp_client: Any) -> None:
    """It is ready once it has a certificate."""
    is_ready, counts = [False], Counts()
    client = await aiohttp_client(health_application(lambda: is_ready[0], counts))

    async def get(path: str) -> tuple[int, str]:
        answer = await client.get(path)
        return answer.status, await answer.text()

    assert await get("/healthz") == (200, "ok\n")
    assert await get("/readyz") == (503, "no certificate yet\n")
    is_ready[0] = True
    assert await get("/readyz") == (200, "ready\n")
    answer = await client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "ops_sidecar_webhook_refused_total 0\n" in await answer.text()


def test_a_certificate_is_used_from_memory() -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("a")
    context = server_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    use(context, Pair(issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()))
    with pytest.raises(ssl.SSLError):
        use(context, Pair(issued.cert_chain_pems[0].bytes(), b""))


def options(**given: Any) -> Options:
    anywhere = Address("127.0.0.1", 0)
    return Options(anywhere, anywhere, "ns", "hook", "secret", "zz", **given)


def test_the_names_by_which_it_is_called() -> None:
    assert options(files=None).names == ("hook.ns.svc", "hook.ns.svc.cluster.local")


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("10.0.0.1", "6443", "https://10.0.0.1:6443"),
        ("10.0.0.1", None, "https://10.0.0.1:443"),
        ("fd00::1", "443", "https://[fd00::1]:443"),
    ],
)
def test_where_the_api_server_is(
    host: str, port: str | None, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Kubernetes tells each pod."""
    monkeypatch.setattr(run, "Cluster", lambda *given: given)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.delenv("KUBERNETES_SERVICE_PORT", raising=False)
    if port is not None:
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    assert run._cluster(options(files=None, account=tmp_path)) == (url, "ns", tmp_path)


def test_outside_of_a_cluster_files_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert run._cluster(options(files=(Path("a"), Path("b")))) is None
    with pytest.raises(StartError, match="not a pod of a cluster"):
        run._cluster(options(files=None))
