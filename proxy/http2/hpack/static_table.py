"""The static table (RFC 7541, appendix A). PURE."""

from __future__ import annotations

from typing import Final

_LINES: Final = """
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate
"""


def _read() -> list[tuple[bytes, bytes]]:
    table = [(b"", b"")]
    for line in _LINES.split("\n")[1:-1]:
        name, _, value = line.partition(" ")
        table.append((name.encode(), value.encode()))
    return table


# By index; the first is 1.
STATIC: Final[list[tuple[bytes, bytes]]] = _read()
SIZE: Final = 61  # the dynamic table's indices go on behind it

# The first index of each name, and of each field.
NAME_INDEX: Final[dict[bytes, int]] = {name: index for index, (name, _) in reversed(list(enumerate(STATIC))) if index}
FIELD_INDEX: Final[dict[tuple[bytes, bytes], int]] = {field: index for index, field in enumerate(STATIC) if index}
