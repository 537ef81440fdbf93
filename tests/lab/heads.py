"""Heads as tests make them, and look at them."""

from __future__ import annotations

from proxy.http1.message.head import Head
from proxy.semantics.fields import Special
from proxy.semantics.request import Field

Sorts = tuple[list[bytes], list[Special], list[Field]]


def headed(line: bytes, fields: Head) -> Head:
    """`fields` below a start line."""
    fields.line = line
    return fields


def sorts(head: Head) -> Sorts:
    """Its fields: those that are forwarded unchanged, those with a meaning for a proxy, those for the translator."""
    return head.lines, head.special, head.trace
