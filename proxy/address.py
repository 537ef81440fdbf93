"""An address, in the settings, in the plan, and for listeners and pools. May know nothing else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen or connect: a TCP host and port, or the path of a Unix socket.

    `host` is a name in lower case, or an IP literal, IPv6 without brackets. Port 0: any free one.
    """

    host: str = ""
    port: int = 0
    unix_path: str = ""

    def __str__(self) -> str:
        """As written in the settings."""
        if self.unix_path:
            return f"unix:{self.unix_path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
