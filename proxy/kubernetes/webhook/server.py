"""The webhook's two servers: admission over TLS, for the API server; health and metrics, for everybody else.

May know aiohttp, admission and counts. Must not know where certificates come from.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from typing import Final

from aiohttp import web

from proxy.kubernetes.injection.wanted import Configure
from proxy.kubernetes.webhook.admission import ReviewError, Verdict, review
from proxy.kubernetes.webhook.certificates import Pair
from proxy.kubernetes.webhook.counts import Counts
from proxy.telemetry.exposition import CONTENT_TYPE, page
from proxy.telemetry.log import fields

log = logging.getLogger(__name__)
# Two paths, since a review does not have the labels of the pod's namespace.
PODS: Final = "/pods"  # the pod itself has the label
NAMESPACES: Final = "/namespaces"  # its namespace has
_MOST_BYTES: Final = 8 * 1024 * 1024  # an object has 1.5 MiB at most, and an update would have two


def admission_application(configure: Configure, counts: Counts) -> web.Application:
    """Answers AdmissionReviews."""

    async def handle(request: web.Request) -> web.Response:
        try:
            answer, verdict = review(await request.json(), configure, opted_in=request.path == NAMESPACES)
        except (ValueError, ReviewError) as error:
            counts.refused += 1
            return web.Response(text=f"{error}\n", status=400)
        counts.pods[verdict.result] += 1
        if verdict.result != "unchanged":
            _tell(answer["response"]["uid"], verdict)
        return web.json_response(answer)

    app = web.Application(client_max_size=_MOST_BYTES)
    for path in (PODS, NAMESPACES):
        app.router.add_post(path, handle)
    return app


def _tell(uid: str, verdict: Verdict) -> None:
    level = logging.WARNING if verdict.result in ("failed", "restored") else logging.INFO
    log.log(level, "pod reviewed", extra=fields(uid=uid, result=verdict.result, why="; ".join(verdict.warnings)))


def health_application(is_ready: Callable[[], bool], counts: Counts) -> web.Application:
    """/healthz, /readyz (503 until there is a certificate), /metrics."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ready\n") if is_ready() else web.Response(text="no certificate yet\n", status=503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=page(counts.families()).encode(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(client_max_size=1024)
    for path, handler in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
        app.router.add_get(path, handler)
    return app


def server_context() -> ssl.SSLContext:
    """TLS for the API server. `use` gives it a certificate, the first and any later one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def use(context: ssl.SSLContext, pair: Pair) -> None:
    """New handshakes have this certificate. A key never reaches a disk: OpenSSL reads it from memory by a path."""
    with open(os.memfd_create("ops-sidecar"), "wb") as file:  # noqa: PTH123 - a descriptor has no path of its own
        file.write(pair.key + pair.certificate)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
