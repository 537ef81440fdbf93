"""The demo's requests: what callers send, how a request goes through the services, and its result."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from proxy.demo.dialects import SESSION, Headers
from proxy.demo.hops import ROUTE, Hop, Journey, find_losses
from proxy.demo.services import JSON
from proxy.demo.topology import WAYS, Topology

REQUEST_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Report:
    """One request: the hops as the services reported them, the headers on the wire before each, and the losses."""

    journey: Journey
    hops: tuple[Hop, ...]
    wires: tuple[Headers, ...]  # as long as `hops`; the first is what the caller sent
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        sent = (self.journey.headers, *(hop.sent for hop in self.hops))
        callers = ("caller", *(hop.service for hop in self.hops))
        return {
            "title": self.journey.title,
            "ok": not self.problems,
            "problems": list(self.problems),
            "hops": [
                {
                    **hop.to_json(),
                    "from": caller,
                    "to": hop.service,
                    "through": WAYS.get(caller),
                    "sent": [list(pair) for pair in headers],
                    "wire": [list(pair) for pair in wire],
                }
                for caller, headers, wire, hop in zip(callers, sent, self.wires, self.hops, strict=False)
            ],
        }


def modern_caller(random_hex: Callable[[int], str] = secrets.token_hex) -> Journey:
    """W3C with everything in it: a 128-bit id, sampled, another vendor's tracestate."""
    trace_id, span_id, session, state = random_hex(16), random_hex(8), f"demo-{random_hex(4)}", "acme=t61rcWkgMzE"
    headers = (("traceparent", f"00-{trace_id}-{span_id}-01"), ("tracestate", state), (SESSION, session))
    return Journey(
        "A modern caller: W3C, 128-bit trace id, sampled", headers, trace_id, span_id, "accept", state, session
    )


def old_caller(random_hex: Callable[[int], str] = secrets.token_hex) -> Journey:
    """The single `b3` header of an old client: a 64-bit id and the debug flag, which `traceparent` cannot say."""
    trace_id, span_id, session = random_hex(8), random_hex(8), f"demo-{random_hex(4)}"
    headers = (("b3", f"{trace_id}-{span_id}-d"), (SESSION, session))
    return Journey(
        "An old caller: b3 in one header, 64-bit trace id, debug", headers, trace_id, span_id, "debug", "", session
    )


async def travel(topology: Topology, journey: Journey) -> Report:
    """Send the request of `journey`, and gather what everybody saw. A failure is a problem in the report."""
    for tap in topology.taps.values():
        tap.take()
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    asking = [*journey.headers, ("Accept", JSON)]
    hops: tuple[Hop, ...] = ()
    errors: list[str] = []
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(topology.entry, headers=asking, json={"item": "book"}) as response,
        ):
            text = await response.text()
        answer = json.loads(text)
        hops = tuple(Hop.from_json(item) for item in answer["hops"])
        errors = list(answer["errors"])
    except (aiohttp.ClientError, TimeoutError) as error:
        errors = [f"no answer from {topology.entry}: {type(error).__name__} {error}"]
    except (ValueError, KeyError, TypeError):
        errors = [f"{topology.entry} answered {response.status}: {text[:300]}"]
    wires = (journey.headers, *(topology.taps[name].take() for name in ROUTE[:-1]))
    losses = find_losses(journey, hops, sidecars_are_spans=bool(topology.collector))
    return Report(journey, hops, wires[: len(hops)], (*errors, *losses))
