"""Who a peer of a sidecar is: another sidecar by its name in Via, else a certificate, a rule, an address."""

from __future__ import annotations

from typing import Final

from proxy.console.store.reader import Reader

_MOST: Final = 5_000
OTHERS: Final = "others"


class Peers:
    """Of one answer."""

    def __init__(self, reader: Reader) -> None:
        rows = reader.all("SELECT via, service FROM sidecars WHERE via <> '' LIMIT ?", (_MOST,))
        self._services: dict[str, str] = {str(row[0]): str(row[1]) for row in rows}

    def name(self, kind: str, peer: str) -> str:
        """In one or two words."""
        if kind == "sidecar":
            return self._services.get(peer, f"a sidecar ({peer})")
        return "others" if kind == OTHERS else peer or "unknown"

    def is_silent(self, kind: str, peer: str) -> bool:
        """Whether this is a sidecar that does not report here."""
        return kind == "sidecar" and peer not in self._services
