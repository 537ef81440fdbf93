"""Field lines, and fields whose value is a list: Connection, Upgrade, TE (RFC 9110, 5.6.1). PURE.

A head has at most so many fields, and there are not many protocols. So a list is short: one beyond these limits is
meant to cost us time, and is not taken apart.
"""

from __future__ import annotations

from typing import Final

from proxy.http1.message.grammar import PROTOCOL
from proxy.semantics.request import Field

MAX_OPTIONS: Final = 128  # of Connection
_MAX_CHOICES: Final = 16  # protocols of Upgrade, codings of TE

# Never upgraded to (they would take the next hop's parser away from under us), whatever the version behind the slash.
_NOT_UPGRADED_TO: Final = (b"h2c", b"h2", b"http", b"tls", b"")
_KNOWN: Final = {value: frozenset((value.lower(),)) for value in (b"keep-alive", b"Keep-Alive", b"close", b"Close")}


def list_of(before: bytes, value: bytes) -> bytes:
    """Two field values of one name as one list (RFC 9110, 5.3)."""
    return before + b", " + value if before and value else before or value


def is_too_long(connection: bytes) -> bool:
    """Whether Connection has more members than could serve any purpose."""
    return connection.count(b",") >= MAX_OPTIONS


def takes_trailers(te: bytes) -> bool:
    """Whether a TE field says so."""
    return te.count(b",") < _MAX_CHOICES and b"trailers" in members(te)


def members(value: bytes) -> frozenset[bytes]:
    """The members of a list, lower case, without parameters. For short ones."""
    known = _KNOWN.get(value)
    if known is not None:
        return known
    return frozenset(part.split(b";", 1)[0].strip(b" \t").lower() for part in value.split(b","))


def real_upgrade(value: bytes) -> bytes:
    """The protocols of an Upgrade field that may be switched to, b"" if there are none."""
    if value.count(b",") >= _MAX_CHOICES:
        return b""
    wanted = [part.strip(b" \t") for part in value.split(b",")]
    return b", ".join(part for part in wanted if _protocol_name(part) not in _NOT_UPGRADED_TO)


def is_offered(switched: bytes, offered: bytes) -> bool:
    """Whether the protocols of a 101's Upgrade field stand in that of its request, in whatever version."""
    if switched.count(b",") >= _MAX_CHOICES:
        return False
    names = _protocol_names(switched)
    return bool(names) and names <= _protocol_names(offered)


def _protocol_names(value: bytes) -> set[bytes]:
    return {_protocol_name(member) for member in members(value) if member}


def _protocol_name(part: bytes) -> bytes:
    """Of one member of an Upgrade field, lower case; b"" if it is malformed, so that nobody reads it otherwise."""
    match = PROTOCOL.fullmatch(part)
    return match[1].lower() if match is not None else b""


def field_name(line: bytes) -> bytes:
    """The name of a field line, lower case."""
    return line[: line.find(b":")].lower()


def field_of(line: bytes) -> Field:
    """A field line, taken apart."""
    name, _, value = line.partition(b":")
    return name, value.strip(b" \t")
