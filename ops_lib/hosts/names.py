"""Host names, and the form in which hosts are compared. Pure.

    name = label *( "." label ) [ "." ]        ; RFC 1123, 2.1: 253 characters
    label = 1*63( letter / digit / "-" / "_" ) ; no "-" at either end

Wider than RFC 1123: `_`, which many internal names have.
A name in another alphabet is compared in its ASCII form (RFC 3490).
If RFC 3490 and RFC 5891 disagree about that form, the name is refused: its author must choose one.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from .addresses import IPAddress, is_numeric, read_address, unmapped

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_LONGEST: Final = 253


def parse_host(text: str) -> str:
    """A host from a setting: a name in lower case and ASCII without a final dot, or an address in short form.

    Raises ValueError, which says what is wrong. An address in a spelling that hides it (`127.1`) is refused.
    """
    try:
        return str(unmapped(ipaddress.ip_address(text)))
    except ValueError:
        pass
    if is_numeric(numeric := text.removesuffix(".")):
        address = read_address(numeric)
        hint = f"; it would be taken for {address}, write that" if address is not None else ""
        raise ValueError(f"{text!r} is not an IPv4 address{hint}")
    if ":" in text:
        raise ValueError(f"{text!r} is not an IPv6 address")
    name = _ascii(text)
    if name is None:
        raise ValueError(f"{text!r} is not a host name (write it in its ASCII form, xn--...)")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ValueError(f"{text!r} is not a host name")
    return name.lower().removesuffix(".")


def read_host(text: str) -> tuple[str, IPAddress | None]:
    """A host from a request, in the form for comparison, and as an address if it is one.

    Accepts everything that a client can write: brackets, upper case, a final dot, a zone, any spelling of an address.
    """
    host = text.lower()
    if host[:1] == "[":
        host = host[1:].removesuffix("]")
    if host[-1:] == ".":
        host = host[:-1]
    # An address in legacy form ends in a number, and a number begins with a digit.
    if ":" in host or host[host.rfind(".") + 1 :][:1].isdigit():
        address = read_address(host)
        if address is not None:
            return str(address), address
    return (_ascii(host) or host), None


def _ascii(name: str) -> str | None:
    """`name` with its labels in ASCII; None if there is no such form, or there are two."""
    if name.isascii():
        return name
    try:
        encoded = name.encode("idna").decode("ascii")
        is_one_to_one = encoded.encode("ascii").decode("idna") == name.lower()  # not `straße`, which may be `strasse`
    except UnicodeError:
        return None
    return encoded if is_one_to_one else None
