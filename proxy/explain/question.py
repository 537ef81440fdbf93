"""A question as people ask it, on a command line or over HTTP: text in, checked values out. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ops_lib.hosts import read_address
from proxy.explain.by_plan import Question
from proxy.semantics.authority import parse_authority

_LONGEST = 512  # characters of a name


class QuestionError(Exception):
    """A part of it cannot be read; the message shows which."""


def question_of(peer: str, names: Iterable[str], listener: str, host: str) -> Question:
    """`host` may have a port, without which it has that of http. Raises QuestionError."""
    peer, host = peer.strip(), host.strip()
    address = read_address(peer) if peer else None
    if peer and address is None:
        raise QuestionError(f"{peer[:60]!r} is not an address of a peer, such as 10.1.2.3")
    authority = parse_authority(host.encode("utf-8", "replace")) if host else None
    if host and authority is None:
        raise QuestionError(f"{host[:60]!r} is not a host, such as billing.internal or billing.internal:8080")
    given = tuple(name.strip().lower() for name in names if name.strip())
    if any(len(name) > _LONGEST for name in given) or len(listener) > _LONGEST:
        raise QuestionError(f"a name has more than {_LONGEST} characters")
    return Question(
        peer=str(address) if address is not None else "",
        names=given,
        listener=listener.strip(),
        host=authority.host if authority is not None else "",
        port=(authority.port or 80) if authority is not None else 0,
    )
