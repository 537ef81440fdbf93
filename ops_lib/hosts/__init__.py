"""Hosts: names, addresses, and the patterns that match them. Pure; standard library only.

The sidecar's `match` and the library's `allow_hosts` read the same patterns and match them by the same rules.
Names are never resolved: a network only matches a host written as an address.
"""

from .addresses import IPAddress, IPNetwork, read_address, unmapped
from .names import parse_host, read_host
from .patterns import HostPattern, parse_pattern, split_port
from .table import HostTable

__all__ = [
    "HostPattern",
    "HostTable",
    "IPAddress",
    "IPNetwork",
    "parse_host",
    "parse_pattern",
    "read_address",
    "read_host",
    "split_port",
    "unmapped",
]
