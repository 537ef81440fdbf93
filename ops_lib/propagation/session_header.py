"""Which header may carry the session id: any field without another meaning in HTTP or a format. Pure.

    session-header = token      ; RFC 9110, 5.6.2; 256 characters

Each hop clears the header and writes it again, so a field with another meaning would lose that.
"""

from __future__ import annotations

import re
from typing import Final

from . import baggage, carrier
from .families import family_of

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_TAKEN_PREFIXES: Final = (
    *(baggage.UBERCTX, "x-b3-", "x-forwarded-"),
    *("accept-", "access-control-", "content-", "if-", "proxy-", "sec-"),
)
# From RFC 9110, 9111, 9112 and 6265, and others that proxies and servers obey.
_HTTP: Final = frozenset(
    {"accept", "age", "allow", "alt-svc", "authorization", "cache-control", "connection", "cookie", "date", "etag"}
    | {"expect", "expires", "forwarded", "from", "host", "http2-settings", "keep-alive", "last-modified", "location"}
    | {"max-forwards", "origin", "pragma", "priority", "range", "referer", "retry-after", "server", "set-cookie", "te"}
    | {"trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "www-authenticate", "x-real-ip"}
)
_TAKEN: Final = _HTTP | carrier.known_names(())


def check_session_header(name: str) -> str:
    """Returns `name`. Raises ValueError, which says what would be right; the caller names the value."""
    if not _TOKEN.fullmatch(name):
        raise ValueError("expected a header name: letters, digits and -")
    plain = name.lower().replace("_", "-")  # CGI and WSGI servers cannot tell the two apart
    if plain in _TAKEN or plain.startswith(_TAKEN_PREFIXES) or family_of(plain) is not None:
        raise ValueError("this header has another meaning; choose another name for the session")
    return name
