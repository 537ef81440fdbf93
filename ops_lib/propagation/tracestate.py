"""The `tracestate` header: reading it, our own member, and cutting it to length. W3C Trace Context level 2, §3.3.

    list        = list-member 0*31( OWS "," OWS list-member )
    list-member = key "=" value / OWS                    ; empty members are allowed, and not counted
    key         = ( lcalpha / DIGIT ) 0*255keychar
    keychar     = lcalpha / DIGIT / "_" / "-" / "*" / "/" / "@"
    value       = 0*255chr nblk-chr                      ; printable ASCII without "," and "="; not ending in a space

Duplicate keys are kept (§3.3.1.3.1 allows passing them on).
"""

from __future__ import annotations

import re

from .ops_member import KEY, is_ours

MAX_MEMBERS = 32  # §3.3.1.1
MAX_LENGTH = 512  # §3.3.1.5: what everyone has to pass on; more is not sent
LONG_MEMBER = 128  # §3.3.1.5: members over this go first

_MEMBER = r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_match_member = re.compile(_MEMBER).fullmatch
_find_members = re.compile(r"[^, \t][^,]*").finditer  # the text between commas, from its first visible character
PLAIN_LIST = rf"{_MEMBER}(?:,{_MEMBER}){{0,{MAX_MEMBERS - 1}}}"
"""A whole header without white space around members, or empty members, as from nearly every sender."""
_match_plain_list = re.compile(PLAIN_LIST).fullmatch


def is_member(text: str) -> bool:
    """Whether `text` is a valid member, `key=value`."""
    return _match_member(text) is not None


def read(values: list[str]) -> tuple[str, str] | None:
    """The headers' values combined in order: (the other vendors' members, the value of our own member or "").

    None if any member is malformed or there are more than 32: then none of it may be believed (§3.3.1).
    Of several members of our own the first counts.
    A member with our key, but a value that we never write, is another vendor's.
    """
    text = values[0] if len(values) == 1 else ",".join(values)
    if f"{KEY}=" not in text and _match_plain_list(text):
        return text, ""
    others: list[str] = []
    own = ""
    for count, found in enumerate(_find_members(text), 1):
        member = found[0].rstrip(" \t")
        if count > MAX_MEMBERS or not _match_member(member):
            return None
        if member.startswith(f"{KEY}=") and is_ours(member[len(KEY) + 1 :]):
            own = own or member[len(KEY) + 1 :]
        else:
            others.append(member)
    return ",".join(others), own


def write(own_member: str, others: str) -> str:
    """One header value: our member first, then the others', at most 32 members and 512 characters. "" for none.

    If the list is too long, whole members are dropped from the end, those over 128 characters first.
    Our own is never cut: it is first and short.
    """
    text = f"{own_member},{others}" if own_member and others else own_member or others
    if len(text) <= MAX_LENGTH and text.count(",") < MAX_MEMBERS:
        return text
    members = text.split(",")
    length = len(text)
    for index in range(len(members) - 1, -1, -1):
        if length <= MAX_LENGTH:
            break
        if len(members[index]) > LONG_MEMBER:
            length -= len(members[index]) + 1
            del members[index]
    del members[MAX_MEMBERS:]
    length = len(",".join(members))
    while length > MAX_LENGTH:
        length -= len(members.pop()) + 1
    return ",".join(members)
