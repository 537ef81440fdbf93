"""Field lines, and fields whose value is a list: Connection, Upgrade, TE (RFC 9110, 5.6.1). PURE.

Heads have few fields, and there are few protocols, so these lists are short.
A list beyond these limits is an attack on our time, and is not parsed.
"""

from __future__ import annotations

from typing import Final

from proxy.http1.message.grammar import PROTOCOL
from proxy.semantics.request import Field

MAX_OPTIONS: Final = 128  # of Connection
_MAX_CHOICES: Final = 16  # protocols of Upgrade, codings of TE

# Never upgraded to, in any version: they would change the next hop's parser without us.
_NOT_UPGRADED_TO: Final = (b"h2c", b"h2", b"http", b"tls", b"")
_KNOWN: Final = {value: frozenset((value.lower(),)) for value in (b"keep-alive", b"Keep-Alive", b"close", b"Close")}


def list_of(before: bytes, value: bytes) -> bytes:
    """Two field values of one name as one list (RFC 9110, 5.3)."""
    return before + b", " + value if before and value else before or value


def is_too_long(connection: bytes) -> bool:
    """Whether Connection has more members than any honest sender needs."""
    return connection.count(b",") >= MAX_OPTIONS


def takes_trailers(te: bytes) -> bool:
    """Whether a TE field says so."""
    return te.count(b",") < _MAX_CHOICES and b"trailers" in members(te)


def members(value: bytes) -> frozenset[bytes]:
    """The members of a short list, in lower case, without parameters."""
    known = _KNOWN.get(value)
    if known is not None:
        return known
    return frozenset(part.split(b";", 1)[0].strip(b" \t").lower() for part in value.split(b","))


def real_upgrade(value: bytes) -> bytes:
    """The allowed protocols of an Upgrade field; b"" for none."""
    if value.count(b",") >= _MAX_CHOICES:
        return b""
    wanted = [part.strip(b" \t") for part in value.split(b",")]
    return b", ".join(part for part in wanted if _protocol_name(part) not in _NOT_UPGRADED_TO)


def is_offered(switched: bytes, offered: bytes) -> bool:
    """Whether the request's Upgrade field has the protocols of a 101's, in any version."""
    if switched.count(b",") >= _MAX_CHOICES:
        return False
    names = _protocol_names(switched)
    return bool(names) and names <= _protocol_names(offered)


def _protocol_names(value: bytes) -> set[bytes]:
    return {_protocol_name(member) for member in members(value) if member}


def _protocol_name(part: bytes) -> bytes:
    """The name of one member of an Upgrade field, in lower case; b"" if malformed."""
    match = PROTOCOL.fullmatch(part)
    return match[1].lower() if match is not None else b""


def field_name(line: bytes) -> bytes:
    """The name of a field line, lower case."""
    return line[: line.find(b":")].lower()


def field_of(line: bytes) -> Field:
    """A field line, split."""
    name, _, value = line.partition(b":")
    return name, value.strip(b" \t")
