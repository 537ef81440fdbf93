"""For whom the admin listener answers: its own names and addresses. Pure.

A page in a browser can give its own name the address of this machine (DNS rebinding), and so read what loopback serves.
The browser then sends the page's name as Host. A name without a dot is nobody's to give on the internet.
"""

from __future__ import annotations

from collections.abc import Iterable

from ops_lib.hosts import HostPattern, HostTable, read_host, split_port


class AdminHosts:
    """The names that Host may have; `use` changes them with the settings."""

    def __init__(self, own_names: Iterable[str] = ()) -> None:
        """`own_names`: those of this machine."""
        self._own = frozenset(read_host(name)[0] for name in own_names)
        self._table: HostTable[HostPattern] = HostTable(())

    def use(self, patterns: Iterable[HostPattern]) -> None:
        """The patterns of `admin.hosts`, from now on."""
        self._table = HostTable((pattern, pattern) for pattern in patterns)

    def allows(self, host: str) -> bool:
        """Whether a request with the field `Host: host` is meant for us."""
        try:
            text, port = split_port(host.strip())
        except ValueError:
            return False
        name, address = read_host(text)
        if address is not None or "." not in name or name.endswith(".localhost") or name in self._own:
            return True
        return self._table.find(name, int(port) if port and port.isdecimal() else 0) is not None
