"""Which hosts may receive trace, session and baggage headers.

Pure: knows no HTTP library and no OpenTelemetry.
`ops_lib.hosts` defines patterns and what they match, also for the sidecar's `match`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ops_lib.hosts import HostPattern, HostTable, parse_pattern
from ops_lib.propagation import ConfigurationError


@dataclass(frozen=True, slots=True)
class AllowList:
    """An immutable set of patterns; a host that matches none of them is outside."""

    table: HostTable[HostPattern]

    @classmethod
    def parse(cls, patterns: str | Iterable[str]) -> AllowList:
        """Compile `patterns`: a list, or one string with commas.

        `billing.internal` this host · `*.svc` every host below it, not `svc` itself · `*` every host · `10.0.0.0/8`,
        `fd00::/8` an address in this network · any of them with `:port`, else any port (`[fd00::/8]:8080`).
        Letter case and a closing dot do not matter.

        Raises ConfigurationError (a ValueError) for anything else: a URL, an empty pattern, a port above 65535.
        It names the pattern.
        """
        listed = patterns.split(",") if isinstance(patterns, str) else patterns
        return cls(HostTable((parsed, parsed) for parsed in map(_parse, listed)))

    def allows(self, host: str, port: int | None) -> bool:
        """Whether headers may go to `host` (a name or an address, brackets allowed) on `port`."""
        return self.table.find(host, port or 0) is not None


def _parse(pattern: str) -> HostPattern:
    try:
        return parse_pattern(pattern)
    except ValueError as error:
        raise ConfigurationError(f"{pattern.strip()!r} is not a host pattern: {error}") from None
