"""The whole webhook: it starts beside an API server, answers reviews over TLS, and ends when told to."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from lab.api_server import ApiServer

from proxy.errors import StartError
from proxy.kubernetes.configuration import configuration
from proxy.kubernetes.webhook.run import Options, _listen, serve
from proxy.plan import Address

NOWHERE = Address("127.0.0.1", 0)
POD = {
    "metadata": {"labels": {"ops-sidecar/inject": "enabled"}},
    "spec": {"containers": [{"name": "a", "image": "a", "ports": [{"containerPort": 80}]}]},
}


def options(account: Path, files: tuple[Path, Path] | None = None) -> Options:
    return Options(
        listen=NOWHERE,
        health=NOWHERE,
        namespace="ops-sidecar",
        service="ops-sidecar-webhook",
        secret="ops-sidecar-webhook",
        configuration="zz-ops-sidecar",
        files=files,
        account=account,
    )


class Running:
    """A webhook that has said where it listens."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[str] = asyncio.Queue()
        self.health = self.admission = ""

    async def start(self) -> None:
        self.health, self.admission = [(await self.lines.get()).rpartition(" ")[2] for _ in range(2)]


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    server = ApiServer(tmp_path)
    await server.start()
    there = urlsplit(server.url)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(there.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(there.port))
    yield server
    await server.close()


async def test_from_start_to_end(api: ApiServer) -> None:
    running = Running()
    task = asyncio.create_task(serve(options(api.account), configuration(None, []), running.lines.put_nowait))
    await asyncio.wait_for(running.start(), 20)
    trusted = ssl.create_default_context(cadata=next(iter(api.bundles())).decode())  # as the API server has it
    review = {"apiVersion": "admission.k8s.io/v1", "request": {"uid": "u", "object": POD}}
    async with aiohttp.ClientSession() as session:
        url, name = f"https://{running.admission}", "ops-sidecar-webhook.ops-sidecar.svc"
        async with session.post(f"{url}/pods", json=review, ssl=trusted, server_hostname=name) as answer:
            response = (await answer.json())["response"]
        assert response["uid"] == "u"
        assert json.loads(base64.b64decode(response["patch"]))[0]["op"] == "add"
        for path, body, status in (("/pods", b"{", 400), ("/namespaces", b"{}", 400), ("/else", b"{}", 404)):
            async with session.post(f"{url}{path}", data=body, ssl=trusted, server_hostname=name) as answer:
                assert answer.status == status
        async with session.get(f"http://{running.health}/readyz") as answer:
            assert answer.status == 200
        async with session.get(f"http://{running.health}/metrics") as answer:
            metrics = await answer.text()
    assert 'ops_sidecar_webhook_pods_total{result="injected"} 1\n' in metrics
    assert "ops_sidecar_webhook_refused_total 2\n" in metrics
    assert "ops_sidecar_webhook_pods_missed 0\n" in metrics
    assert "ops_sidecar_webhook_certificate_expiry_timestamp_seconds " in metrics
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 20)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_it_says_where_it_listens(host: str) -> None:
    async with AsyncExitStack() as stack:
        found = await _listen(stack, web.AppRunner(web.Application()), Address(host, 0))
        assert found == Address(host, found.port)
        _, writer = await asyncio.open_connection(found.host, found.port)
        writer.close()
        await writer.wait_closed()


async def test_outside_of_a_cluster_it_needs_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(StartError, match="--cert-file and --key-file"):
        await serve(options(tmp_path), configuration(None, []), lambda _: None)


async def test_a_service_account_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    with pytest.raises(StartError, match="service account cannot be read"):
        await serve(options(tmp_path / "none"), configuration(None, []), lambda _: None)


async def test_a_port_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        there = Address("127.0.0.1", taken.getsockname()[1])
        wanted = replace(options(tmp_path, (tmp_path / "cert", tmp_path / "key")), health=there)
        with pytest.raises(StartError, match=f"^cannot listen on {there}: "):
            await serve(wanted, configuration(None, []), lambda _: None)
