"""Runs the webhook until it is told to stop. The only place where its objects are built."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from proxy.address import Address
from proxy.errors import StartError, reason_of
from proxy.kubernetes.injection.wanted import Configure
from proxy.kubernetes.webhook.certificates import now_utc
from proxy.kubernetes.webhook.cluster import ACCOUNT, Cluster
from proxy.kubernetes.webhook.counts import Counts
from proxy.kubernetes.webhook.keeper import Keeper
from proxy.kubernetes.webhook.server import admission_application, health_application, server_context

_SHUTDOWN_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    listen: Address
    health: Address
    namespace: str
    service: str
    secret: str
    configuration: str
    files: tuple[Path, Path] | None  # a certificate and its key, which somebody else renews
    account: Path = ACCOUNT

    @property
    def names(self) -> tuple[str, ...]:
        """By which the API server calls the Service."""
        return (f"{self.service}.{self.namespace}.svc", f"{self.service}.{self.namespace}.svc.cluster.local")


async def serve(options: Options, configure: Configure, announce: Callable[[str], None]) -> None:
    """Until SIGTERM or SIGINT. Raises StartError."""
    counts, context = Counts(), server_context()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        cluster = _cluster(options)
        if cluster is not None:
            stack.push_async_callback(cluster.close)
        keeper = Keeper(
            context,
            counts,
            clock=now_utc,
            cluster=cluster,
            secret=options.secret,
            configuration=options.configuration,
            names=options.names,
            files=options.files,
        )
        health = web.AppRunner(health_application(lambda: keeper.is_ready, counts), access_log=None)
        announce(f"health listening on {await _listen(stack, health, options.health)}")
        await keeper.round()
        admission = web.AppRunner(
            admission_application(configure, counts), access_log=None, shutdown_timeout=_SHUTDOWN_S
        )
        announce(f"webhook listening on {await _listen(stack, admission, options.listen, context)}")
        task = asyncio.create_task(keeper.run(), name="keeper")
        try:
            await stop.wait()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _cluster(options: Options) -> Cluster | None:
    """The API server of the cluster that this runs in; None outside of one, if files are given."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        if options.files is None:
            raise StartError("this is not a pod of a cluster: give --cert-file and --key-file")
        return None
    try:
        return Cluster(f"https://{f'[{host}]' if ':' in host else host}:{port}", options.namespace, options.account)
    except OSError as error:
        raise StartError(f"the service account cannot be read: {reason_of(error)}") from None


async def _listen(
    stack: contextlib.AsyncExitStack, runner: web.AppRunner, address: Address, context: ssl.SSLContext | None = None
) -> Address:
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, address.host, address.port, ssl_context=context)
    try:
        await site.start()
    except OSError as error:
        raise StartError(f"cannot listen on {address}: {reason_of(error)}") from None
    return Address(*runner.addresses[0][:2])
