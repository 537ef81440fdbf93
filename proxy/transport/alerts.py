"""Reads a peer's TLS alert from OpenSSL's error. May know `ssl`, nothing else."""

from __future__ import annotations

import re
import ssl
from typing import Final

_ALERT: Final = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_ALERT_([A-Z0-9_]+)\Z")  # OpenSSL, ERR_reason_error_string

# With these a server refuses a client that shows no certificate, or a wrong one (RFC 8446, 6.2; before 1.3 the first).
_OF_CERTIFICATES: Final = frozenset(
    ("handshake failure", "certificate required", "bad certificate", "unknown ca", "certificate unknown")
)


def alert_of(error: BaseException | None) -> str:
    """The alert that the peer sent, in the words of the specification; empty if `error` is something else.

    With TLS 1.3 it may come after our part of the handshake, and so as the loss of an established connection.
    """
    found = _ALERT.match(getattr(error, "reason", None) or "") if isinstance(error, ssl.SSLError) else None
    return found[1].lower().replace("_", " ") if found else ""


def alert_detail(alert: str, where: str) -> str:
    """One sentence for the person who fixes it."""
    hint = "; it may ask for a client certificate (tls.cert_file)" if alert in _OF_CERTIFICATES else ""
    return f"{where} refused us with the TLS alert: {alert}{hint}"
