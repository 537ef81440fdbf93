"""Which Host the admin listener answers to: its own names and addresses. Pure.

A web page can point its own name at this machine (DNS rebinding), and so read what loopback serves.
The browser then sends the page's name as Host.
Names without a dot are safe: nobody can register them on the internet.
"""

from __future__ import annotations

from collections.abc import Iterable

from ops_lib.hosts import HostPattern, HostTable, read_host, split_port


class AdminHosts:
    """The names that Host may have; `use` updates them from the settings."""

    def __init__(self, own_names: Iterable[str] = ()) -> None:
        """`own_names`: those of this machine."""
        self._own = frozenset(read_host(name)[0] for name in own_names)
        self._table: HostTable[HostPattern] = HostTable(())

    def use(self, patterns: Iterable[HostPattern]) -> None:
        """Use these patterns of `admin.hosts` from now on."""
        self._table = HostTable((pattern, pattern) for pattern in patterns)

    def allows(self, host: str) -> bool:
        """Whether a request with `Host: host` is meant for us."""
        try:
            text, port = split_port(host.strip())
        except ValueError:
            return False
        name, address = read_host(text)
        if address is not None or "." not in name or name.endswith(".localhost") or name in self._own:
            return True
        return self._table.find(name, int(port) if port and port.isdecimal() else 0) is not None
