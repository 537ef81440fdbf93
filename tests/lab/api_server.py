"""A small API server of Kubernetes, over TLS: one Secret, one configuration of webhooks, pods and namespaces.

It keeps to what the API promises: versions of objects and conflicts, merge patch and JSON Patch, selectors, pages,
and it refuses what the webhook's rules (config/kubernetes/webhook) do not allow.
"""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import trustme
import yaml
from aiohttp import web

ROOT = Path(__file__).parents[2]
RULES = ROOT / "config" / "kubernetes" / "webhook" / "rbac.yaml"
TOKEN = "of-the-service-account"
SECRET = "/api/v1/namespaces/ops-sidecar/secrets/ops-sidecar-webhook"
CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/zz-ops-sidecar"
_PAGE = 2


class ApiServer:
    """Start it with `start`; `account` is the folder of the service account that may ask it."""

    def __init__(self, folder: Path) -> None:
        self.account = folder
        self.secret: dict[str, Any] = {"metadata": {"resourceVersion": "1"}}
        self.configuration: dict[str, Any] = {
            "webhooks": [{"name": name, "clientConfig": {"service": {}}} for name in ("pods.x", "namespaces.x")]
        }
        self.pods: list[dict[str, Any]] = []
        self.namespaces: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.fails = False
        self._rules = [
            (rule, document["kind"])
            for document in yaml.safe_load_all(RULES.read_text(encoding="utf-8"))
            if document["kind"] in ("Role", "ClusterRole")
            for rule in document["rules"]
        ]
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.crt")
        (folder / "token").write_text(f"{TOKEN}\n", encoding="ascii")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app)
        self.url = ""

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context).start()
        self.url = f"https://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        await self._runner.cleanup()

    def certificates(self) -> dict[str, bytes]:
        """What the Secret has."""
        return {key: base64.b64decode(value) for key, value in self.secret.get("data", {}).items()}

    def bundles(self) -> set[bytes]:
        """What the API server believes, by webhook."""
        return {base64.b64decode(one["clientConfig"].get("caBundle", "")) for one in self.configuration["webhooks"]}

    async def _handle(self, request: web.Request) -> web.Response:
        self.requests.append(f"{request.method} {request.path}")
        if self.fails:
            return web.Response(status=500)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        if not self._is_allowed(request):
            return web.Response(status=403)
        if request.path == SECRET:
            return await self._secret(request)
        if request.path == CONFIGURATION:
            return await self._configuration(request)
        return self._list(request)

    def _is_allowed(self, request: web.Request) -> bool:
        """Whether config/kubernetes/webhook/rbac.yaml lets the service account do this."""
        parts = request.path.strip("/").split("/")
        group, parts = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        is_namespaced = parts[0] == "namespaces" and len(parts) > 2
        namespace, parts = (parts[1], parts[2:]) if is_namespaced else ("", parts)
        resource, name = parts[0], parts[1] if len(parts) > 1 else ""
        verb = {"GET": "get" if name else "list", "PATCH": "patch"}.get(request.method, request.method.lower())
        return any(
            (kind == "ClusterRole" or namespace == "ops-sidecar")
            and group in rule["apiGroups"]
            and resource in rule["resources"]
            and verb in rule["verbs"]
            and (not rule.get("resourceNames") or name in rule["resourceNames"])
            for rule, kind in self._rules
        )

    async def _secret(self, request: web.Request) -> web.Response:
        if request.method == "PATCH":
            assert request.headers["Content-Type"] == "application/merge-patch+json"
            patch = await request.json()
            if patch["metadata"]["resourceVersion"] != self.secret["metadata"]["resourceVersion"]:
                return web.Response(status=409)
            version = int(self.secret["metadata"]["resourceVersion"]) + 1
            self.secret = {"metadata": {"resourceVersion": str(version)}, "data": patch["data"]}
        return web.json_response(self.secret)

    async def _configuration(self, request: web.Request) -> web.Response:
        if request.method == "PATCH":
            assert request.headers["Content-Type"] == "application/json-patch+json"
            for edit in await request.json():
                *steps, last = edit["path"].strip("/").split("/")
                parent: Any = self.configuration
                for step in steps:
                    parent = parent[int(step)] if isinstance(parent, list) else parent[step]
                if edit["op"] == "test":
                    assert parent[last] == edit["value"]
                else:
                    parent[last] = edit["value"]
        return web.json_response(self.configuration)

    def _list(self, request: web.Request) -> web.Response:
        assert "as=PartialObjectMetadataList" in request.headers["Accept"]
        is_pods = request.path.endswith("/pods")
        within = request.path.split("/")[4] if request.path.count("/") > 3 else None
        found = [
            one
            for one in (self.pods if is_pods else self.namespaces)
            if (within is None or one["metadata"]["namespace"] == within)
            and _matches(one["metadata"].get("labels", {}), request.query["labelSelector"])
        ]
        start = int(request.query.get("continue", "0"))
        rest = start + _PAGE < len(found)
        metadata = {"continue": str(start + _PAGE)} if rest else {}
        return web.json_response({"metadata": metadata, "items": found[start : start + _PAGE]})


def _matches(labels: dict[str, str], selector: str) -> bool:
    for part in selector.split(","):
        if part.startswith("!"):
            if part[1:] in labels:
                return False
        else:
            key, _, value = part.partition("=")
            if labels.get(key) != value:
                return False
    return True
