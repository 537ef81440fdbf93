"""What the webhook asks of the API server, request by request: a stand-in notes each, and answers as it was told."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from proxy.kubernetes.webhook.certificates import Certificates, Pair
from proxy.kubernetes.webhook.cluster import Cluster, ClusterError, ConflictError, Kept

SECRET = "/api/v1/namespaces/ns/secrets/kept"
CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/hooks"
CERTIFICATES = Certificates(Pair(b"a", b"b"), Pair(b"c", b"d"), b"e")
DATA = {"ca.crt": b"a", "ca.key": b"b", "tls.crt": b"c", "tls.key": b"d", "bundle.crt": b"e"}
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


def packed(data: dict[str, bytes]) -> dict[str, str]:
    return {key: base64.b64encode(value).decode() for key, value in data.items()}


class StandIn:
    """Gives `answers` by path, one after another."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.accepted: list[str] = []
        self.kinds: list[str] = []
        self.answers: dict[str, list[tuple[int, object]]] = {}

    async def handle(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text() or "null")
        self.asked.append((f"{request.method} {request.path}", dict(request.query), body))
        self.accepted.append(request.headers["Accept"])
        self.kinds.append(request.headers.get("Content-Type", ""))
        assert request.headers["Authorization"] == "Bearer of-the-account"
        status, said = self.answers[request.path].pop(0)
        return web.json_response(said, status=status)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[tuple[StandIn, Cluster]]:
    stand_in, authority = StandIn(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    (tmp_path / "token").write_text(" of-the-account\n", encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stand_in.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    cluster = Cluster(f"https://127.0.0.1:{runner.addresses[0][1]}", "ns", tmp_path)
    yield stand_in, cluster
    await cluster.close()
    await runner.cleanup()


async def test_certificates_are_read_and_written_whole(lab: tuple[StandIn, Cluster]) -> None:
    api, cluster = lab
    api.answers[SECRET] = [(200, {"metadata": {"resourceVersion": 5}, "data": packed(DATA)}), (200, {})]
    assert await cluster.certificates("kept") == Kept(CERTIFICATES, "5")
    await cluster.keep("kept", CERTIFICATES, "5")
    assert api.asked[0] == (f"GET {SECRET}", {}, None)
    assert api.asked[1] == (f"PATCH {SECRET}", {}, {"metadata": {"resourceVersion": "5"}, "data": packed(DATA)})
    assert api.kinds == ["", "application/merge-patch+json"]
    assert api.accepted == ["application/json", "application/json"]


@pytest.mark.parametrize("data", [None, {}, *({**DATA, key: b""} for key in DATA)])
async def test_a_secret_that_lacks_a_part_has_none(lab: tuple[StandIn, Cluster], data: dict[str, bytes] | None) -> None:
    api, cluster = lab
    said = {"metadata": {"resourceVersion": "1"}} | ({} if data is None else {"data": packed(data)})
    api.answers[SECRET] = [(200, said)]
    assert await cluster.certificates("kept") == Kept(None, "1")


async def test_somebody_elses_write_is_a_conflict_and_the_rest_an_error(lab: tuple[StandIn, Cluster]) -> None:
    api, cluster = lab
    api.answers[SECRET] = [(409, {}), (300, {}), (403, {})]
    with pytest.raises(ConflictError, match="somebody else has changed it"):
        await cluster.keep("kept", CERTIFICATES, "1")
    for status in ("300", "403"):
        with pytest.raises(ClusterError, match=f"GET {SECRET}: {status}"):
            await cluster.certificates("kept")


async def test_each_webhook_believes_the_bundle_and_is_told_once(lab: tuple[StandIn, Cluster]) -> None:
    api, cluster = lab
    known = {"name": "known", "clientConfig": {"caBundle": base64.b64encode(b"new").decode()}}
    new, old = {"name": "new", "clientConfig": {}}, {"name": "old", "clientConfig": {"caBundle": "b2xk"}}
    api.answers[CONFIGURATION] = [
        (200, {"webhooks": [known, new, old]}), (200, {}), (200, {"webhooks": [known]}), (200, {}),
    ]  # fmt: skip
    assert await cluster.trust("hooks", b"new") is True
    assert api.asked[1][2] == [
        {"op": "test", "path": "/webhooks/1/name", "value": "new"},
        {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "bmV3"},
        {"op": "test", "path": "/webhooks/2/name", "value": "old"},
        {"op": "add", "path": "/webhooks/2/clientConfig/caBundle", "value": "bmV3"},
    ]
    assert api.kinds[1] == "application/json-patch+json"
    assert await cluster.trust("hooks", b"new") is False
    assert await cluster.trust("hooks", b"new") is False
    assert [asked for asked, *_ in api.asked] == [
        f"GET {CONFIGURATION}", f"PATCH {CONFIGURATION}", f"GET {CONFIGURATION}", f"GET {CONFIGURATION}",
    ]  # fmt: skip


async def test_pods_are_asked_for_page_by_page_by_their_metadata(lab: tuple[StandIn, Cluster]) -> None:
    """Those that are on their way out do not count."""
    api, cluster = lab

    def page(*names: str, more: str = "", gone: bool = False) -> tuple[int, object]:
        usual = {"namespace": "shop"} | ({"deletionTimestamp": "now"} if gone else {})
        items = [{"metadata": {**usual, "name": name}} for name in names]
        return 200, {"items": items, "metadata": {"continue": more} if more else {}}

    api.answers["/api/v1/pods"] = [page("b", more="2"), page("c", more="3", gone=True), page("a")]
    api.answers["/api/v1/namespaces"] = [(200, {"items": [{"metadata": {"name": "team"}}]})]
    api.answers["/api/v1/namespaces/team/pods"] = [(200, {"items": None})]
    assert await cluster.missed() == ["shop/a", "shop/b"]
    wanted, without = "ops-sidecar/inject=enabled,!ops-sidecar/injected", "!ops-sidecar/inject,!ops-sidecar/injected"
    first = {"labelSelector": wanted, "limit": "500"}
    assert [(asked, query) for asked, query, _ in api.asked] == [
        ("GET /api/v1/pods", first),
        ("GET /api/v1/pods", {**first, "continue": "2"}),
        ("GET /api/v1/pods", {**first, "continue": "3"}),
        ("GET /api/v1/namespaces", {"labelSelector": "ops-sidecar/inject=enabled", "limit": "500"}),
        ("GET /api/v1/namespaces/team/pods", {"labelSelector": without, "limit": "500"}),
    ]
    assert set(api.accepted) == {METADATA_ONLY}


async def test_a_server_that_is_gone_is_an_error(tmp_path: Path, lab: tuple[StandIn, Cluster]) -> None:
    _, cluster = lab
    (tmp_path / "token").unlink()
    with pytest.raises(ClusterError, match=f"GET {SECRET}: .*token"):
        await cluster.certificates("kept")
