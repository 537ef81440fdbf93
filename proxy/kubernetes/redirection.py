"""The rules that redirect an app's connections to its sidecar, as text for nft(8). Pure.

May know nftables. Must not know how rules get into a kernel.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final, NamedTuple

TABLE: Final = "ops_sidecar"
# Never redirected: link-local addresses, where clouds give credentials, and the others where they do.
EXEMPT: Final = ("169.254.0.0/16", "100.100.100.200/32", "fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128")


class Redirection(NamedTuple):
    """Connections to `ports` go to `to` instead."""

    ports: tuple[int, ...]
    to: int


def parse_redirection(text: str) -> Redirection:
    """`80,8080:9081`. Raises ValueError."""
    ports, _, to = text.rpartition(":")
    numbers = [int(part) if part.isascii() and part.isdecimal() else 0 for part in (*ports.split(","), to)]
    if not all(0 < number < 65536 for number in numbers) or len(numbers) < 2:
        raise ValueError(f"{text!r}: expected PORT,...:PORT, such as 80,8080:9081")
    if numbers[-1] in numbers[:-1]:
        raise ValueError(f"{text!r}: port {numbers[-1]} would be redirected to itself")
    return Redirection(tuple(sorted(set(numbers[:-1]))), numbers[-1])


def parse_networks(text: str) -> tuple[str, ...]:
    """Addresses and CIDRs with commas, each as a CIDR. Raises ValueError."""
    return tuple(str(ipaddress.ip_network(part.strip())) for part in text.split(",") if part.strip())


def rules(
    inbound: Redirection | None,
    outbound: Redirection | None,
    *,
    uid: int,
    exempt: Sequence[str] = EXEMPT,
    ipv4_only: bool = False,
) -> str:
    """A transaction for `nft --file -` that sets the rules, in place of those that were set before.

    `uid`: the sidecar's user, whose connections go out. `exempt`: networks to which connections stay as they are.
    `ipv4_only`: nobody listens for IPv6, so it stays as it is.
    """
    lines = [*_begin(), f"table inet {TABLE} {{"]
    family = "meta nfproto ipv4 " if ipv4_only else ""
    if inbound is not None:
        lines += [
            "  chain inbound {",
            "    type nat hook prerouting priority dstnat; policy accept;",
            f"    {family}tcp dport {_set(inbound.ports)} redirect to :{inbound.to}",
            "  }",
        ]
    if outbound is not None:
        lines += [
            "  chain outbound {",
            "    type nat hook output priority -100; policy accept;",
            f"    meta skuid {uid} return  # the sidecar's own",
            "    fib daddr type local return  # the pod itself",
        ]
        for word, version in (("ip", 4), ("ip6", 6)):
            networks = [one for one in exempt if ipaddress.ip_network(one).version == version]
            if networks:
                lines.append(f"    {word} daddr {_set(networks)} return")
        lines += [f"    {family}tcp dport {_set(outbound.ports)} redirect to :{outbound.to}", "  }"]
    return "\n".join([*lines, "}", ""])


def no_rules() -> str:
    """A transaction that takes the rules away."""
    return "\n".join([*_begin(), ""])


def _begin() -> list[str]:
    """Adding a table that is there does nothing, so deleting it never fails."""
    return [f"add table inet {TABLE}", f"delete table inet {TABLE}"]


def _set(items: Sequence[object]) -> str:
    return f"{{ {', '.join(map(str, items))} }}"
