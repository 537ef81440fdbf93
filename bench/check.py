"""Before anything is measured: does the proxy forward, and does one that is said to translate really do so?

The upstream's `/echo` tells which trace headers reached it. Checked on the very process that is measured next.
"""

from __future__ import annotations

import json

from bench import load
from bench.peer_files import ANSWER
from bench.peers import Peer


class CheckError(Exception):
    """The proxy does not do what its row says."""


def check(peer: Peer, port: int) -> None:
    """Raises CheckError unless `peer`, listening on 127.0.0.1:`port`, does the work that its row claims."""
    status, body = load.get(port, "/items?page=1", traced=peer.traced)
    if status != 200 or body != ANSWER.encode():
        raise CheckError(f"{peer.key} answered {status} {body[:200]!r} instead of the upstream's answer")
    status, body = load.get(port, "/echo", traced=peer.traced)
    if status != 200:
        raise CheckError(f"{peer.key} answered {status} on /echo")
    arrived: dict[str, str] = json.loads(body)
    if peer.work == "translates":
        parts = arrived["traceparent"].split("-")
        if len(parts) != 4 or parts[1] != load.TRACE_ID or parts[3] != "01":
            raise CheckError(f"{peer.key} does not translate: B3 trace {load.TRACE_ID} arrived as {arrived}")
    elif not peer.traced and any(arrived.values()):
        raise CheckError(f"{peer.key} made up trace headers: {arrived}")
