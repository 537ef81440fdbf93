"""Keeps the webhook's certificate valid and believed, and knows which pods were missed. One task, one round at a time.

May know the cluster, or two files; certificates and counts. Must not know HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from proxy.kubernetes.webhook.certificates import Certificates, Pair, expires, renewed
from proxy.kubernetes.webhook.cluster import Cluster, ClusterError, ConflictError
from proxy.kubernetes.webhook.counts import Counts
from proxy.kubernetes.webhook.server import use
from proxy.telemetry.log import fields

log = logging.getLogger(__name__)
ROUND_S: Final = 60.0
_SOON_S: Final = 2.0  # after a round that failed, while there is no certificate
_MOST_TOLD: Final = 10  # names of pods in a line


class Keeper:
    """Has a certificate, sooner or later."""

    def __init__(
        self,
        context: ssl.SSLContext,
        counts: Counts,
        *,
        clock: Callable[[], datetime],
        cluster: Cluster | None = None,
        secret: str = "",
        configuration: str = "",
        names: Sequence[str] = (),
        files: tuple[Path, Path] | None = None,
    ) -> None:
        """`files`: a certificate and its key that somebody else renews; else they are in `secret`.

        `configuration`: which has to believe them. `names`: of the server.
        """
        self._context = context
        self._counts = counts
        self._clock = clock
        self._cluster = cluster
        self._secret = secret
        self._configuration = configuration
        self._names = names
        self._files = files
        self._used: Pair | None = None
        self._missed: list[str] = []

    @property
    def is_ready(self) -> bool:
        """Whether there is a certificate that has not ended."""
        return self._used is not None and self._clock().timestamp() < self._counts.expires_s

    async def run(self, round_s: float = ROUND_S, soon_s: float = _SOON_S) -> None:
        """One round after another, until cancelled."""
        while True:
            await self.round()
            await asyncio.sleep(round_s if self.is_ready else soon_s)

    async def round(self) -> None:
        """Look at everything once. What fails is counted, and tried again in the next round."""
        try:
            if self._files is not None:
                self._use(Pair(*(path.read_bytes() for path in self._files)))
            else:
                await self._renew()
            await self._look_for_missed()
        except ConflictError:
            pass  # another replica has renewed them: the next round reads its own
        except (ClusterError, OSError, ValueError) as error:  # ValueError: what is kept is not a certificate
            self._counts.errors += 1
            log.warning("the webhook's round has failed", extra=fields(why=error))

    async def _renew(self) -> None:
        assert self._cluster is not None
        kept = await self._cluster.certificates(self._secret)
        wanted = self._wanted(kept.certificates)
        # First who is believed, then who is to be: a new authority is known before anything is signed by it.
        if await self._cluster.trust(self._configuration, wanted.bundle):
            log.info("the API server has a new bundle of authorities", extra=fields(configuration=self._configuration))
        if wanted != kept.certificates:
            await self._cluster.keep(self._secret, wanted, kept.version)
            log.info("certificates renewed", extra=fields(secret=self._secret))
        self._use(wanted.server)

    def _wanted(self, kept: Certificates | None) -> Certificates:
        try:
            return renewed(kept, self._names, self._clock())
        except ValueError as error:  # somebody has written something else into the Secret
            log.warning("the Secret's certificates cannot be read; making new ones", extra=fields(why=error))
            return renewed(None, self._names, self._clock())

    def _use(self, pair: Pair) -> None:
        if pair != self._used:
            use(self._context, pair)
            self._used = pair
            self._counts.expires_s = expires(pair.certificate).timestamp()

    async def _look_for_missed(self) -> None:
        if self._cluster is None:
            return
        missed = await self._cluster.missed()
        self._counts.missed = len(missed)
        news = [name for name in missed if name not in self._missed]
        self._missed = missed
        if news:
            told = ", ".join(news[:_MOST_TOLD]) + (", ..." if len(news) > _MOST_TOLD else "")
            log.warning("pods without the sidecar that they ask for", extra=fields(pods=told, all=len(missed)))
