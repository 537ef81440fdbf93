"""What the webhook asks of the API server: one Secret, one configuration of webhooks, and who has no sidecar.

May know the API's paths, and aiohttp. Each call here is a rule of config/kubernetes/webhook/rbac.yaml.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from proxy.kubernetes.injection.names import INJECT, INJECTED
from proxy.kubernetes.webhook.certificates import Certificates, Pair

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=20)
_PAGE: Final = 500
_KEYS: Final = ("ca.crt", "ca.key", "tls.crt", "tls.key", "bundle.crt")


class ClusterError(Exception):
    """The API server could not be asked, or has refused; the message says what for."""


class ConflictError(ClusterError):
    """Another replica has been faster."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The Secret as it is now."""

    certificates: Certificates | None  # None: it has none yet
    version: str  # which the next write must name


class Cluster:
    """The API server, as the webhook's service account sees it. Close it."""

    def __init__(self, url: str, namespace: str, account: Path = ACCOUNT) -> None:
        self._namespace = namespace
        self._account = account
        context = ssl.create_default_context(cafile=str(account / "ca.crt"))
        self._session = aiohttp.ClientSession(
            url, timeout=_TIMEOUT, connector=aiohttp.TCPConnector(ssl=context, limit=4)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def certificates(self, secret: str) -> Kept:
        """Those of a Secret, which must be there, if empty."""
        found = await self._ask("GET", f"/api/v1/namespaces/{self._namespace}/secrets/{secret}")
        data = found.get("data") or {}
        version = str(found["metadata"]["resourceVersion"])
        if not all(data.get(key) for key in _KEYS):
            return Kept(None, version)
        authority, authority_key, server, server_key, bundle = (base64.b64decode(data[key]) for key in _KEYS)
        return Kept(Certificates(Pair(authority, authority_key), Pair(server, server_key), bundle), version)

    async def keep(self, secret: str, certificates: Certificates, version: str) -> None:
        """Write the Secret. Raises ConflictError if it is not of `version` any more."""
        parts = (*certificates.authority, *certificates.server, certificates.bundle)
        data = {key: base64.b64encode(part).decode("ascii") for key, part in zip(_KEYS, parts, strict=True)}
        patch = {"metadata": {"resourceVersion": version}, "data": data}
        path = f"/api/v1/namespaces/{self._namespace}/secrets/{secret}"
        await self._ask("PATCH", path, patch, kind="application/merge-patch+json")

    async def trust(self, configuration: str, bundle: bytes) -> bool:
        """Let the API server believe `bundle` of every webhook of a configuration. Whether that was news to it."""
        path = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{configuration}"
        found = await self._ask("GET", path)
        text = base64.b64encode(bundle).decode("ascii")
        patch: list[dict[str, Any]] = []
        for index, webhook in enumerate(found.get("webhooks") or ()):
            if webhook["clientConfig"].get("caBundle") != text:
                patch += [
                    {"op": "test", "path": f"/webhooks/{index}/name", "value": webhook["name"]},
                    {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": text},
                ]
        if patch:
            await self._ask("PATCH", path, patch, kind="application/json-patch+json")
        return bool(patch)

    async def missed(self) -> list[str]:
        """The pods that have asked for a sidecar, or whose namespace has, and have none: `namespace/name`."""
        found = await self._names("/api/v1/pods", f"{INJECT}=enabled,!{INJECTED}")
        for namespace in await self._names("/api/v1/namespaces", f"{INJECT}=enabled"):
            name = namespace.partition("/")[2]
            found += await self._names(f"/api/v1/namespaces/{name}/pods", f"!{INJECT},!{INJECTED}")
        return sorted(found)

    async def _names(self, path: str, selector: str) -> list[str]:
        """The objects that `selector` names. Their metadata alone are asked for."""
        found: list[str] = []
        query = {"labelSelector": selector, "limit": str(_PAGE)}
        while True:
            page = await self._ask("GET", path, query=query, accept=_METADATA)
            for item in page.get("items") or ():
                metadata = item["metadata"]
                if metadata.get("deletionTimestamp") is None:
                    found.append(f"{metadata.get('namespace', '')}/{metadata['name']}")
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return found
            query = {**query, "continue": str(more)}

    async def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        kind: str = "application/json",
        query: Mapping[str, str] | None = None,
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Raises ClusterError."""
        try:
            token = (self._account / "token").read_text(encoding="ascii").strip()  # the kubelet renews it
            headers = {"Authorization": f"Bearer {token}", "Accept": accept}
            if body is not None:
                headers["Content-Type"] = kind
            async with self._session.request(
                method, path, json=body, headers=headers, params=dict(query or {})
            ) as answer:
                if answer.status == 409:
                    raise ConflictError(f"{method} {path}: somebody else has changed it")
                if answer.status >= 300:
                    raise ClusterError(f"{method} {path}: {answer.status} {answer.reason}")
                found: dict[str, Any] = await answer.json()
                return found
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ClusterError(f"{method} {path}: {error or type(error).__name__}") from None
