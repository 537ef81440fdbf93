"""Which formats peers were last seen to speak, so that they can be called in the same. PURE.

A peer that calls us is known by its address and by the names in its certificate; the app, which calls out through us,
is known as such. A peer that we call is known by the host of its URL: as a name in a certificate, as an address, or by
the address at which that host was last reached.
Bounded: of peers and hosts that are remembered, the one that was seen the longest ago makes room.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ops_lib.propagation import KNOWN_FORMATS, Format

MOST_PEERS: Final = 4096
MAX_NAME: Final = 256  # characters; longer names are not remembered
_APP: Final = "the app"  # not a host: it has a blank

Formats = tuple[Format, ...]


class Mirror:
    """One per data plane; it outlives reloads."""

    __slots__ = ("_addresses", "_known", "_spoken")

    def __init__(self) -> None:
        self._spoken: dict[str, Formats] = {}  # by peer, the longest unseen first
        self._addresses: dict[str, str] = {}  # by host, likewise
        self._known: dict[str, Formats] = {}  # what `read` means; as many as there are sets of formats

    def __len__(self) -> int:
        return len(self._spoken)

    def heard(self, address: str, names: Iterable[str], read: str) -> None:
        """A peer called, with valid headers of these formats, joined by commas; none says nothing."""
        if not read:
            return
        formats = self._formats(read)
        for peer in (address, *names):
            if peer and not peer.startswith("*."):  # a wildcard names nobody
                _remember(self._spoken, peer.lower(), formats)

    def heard_app(self, read: str) -> None:
        """The app called, likewise."""
        if read:
            _remember(self._spoken, _APP, self._formats(read))

    def reached(self, host: str, address: str) -> None:
        """A request to `host` went to `address`."""
        if address and host and host != address:
            _remember(self._addresses, host.lower(), address)

    def app_speaks(self) -> Formats | None:
        """What the app was last seen to speak; None: not seen yet."""
        return self._spoken.get(_APP)

    def speaks(self, host: str) -> Formats | None:
        """What the peer at `host` was last seen to speak; None: not seen yet."""
        host = host.lower()
        found = self._spoken.get(host)
        if found is None and (address := self._addresses.get(host)) is not None:
            found = self._spoken.get(address)
        return found

    def _formats(self, read: str) -> Formats:
        found = self._known.get(read)
        if found is None:
            said = set(read.split(","))
            found = self._known[read] = tuple(Format(one) for one in KNOWN_FORMATS if one in said)
        return found


def _remember(table: dict[str, Formats] | dict[str, str], key: str, value: Formats | str) -> None:
    if len(key) > MAX_NAME:
        return
    table.pop(key, None)
    table[key] = value  # type: ignore[assignment]  # each caller has its own pair of types
    if len(table) > MOST_PEERS:
        del table[next(iter(table))]
