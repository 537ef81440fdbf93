"""What is wrong with a header block. PURE."""

from __future__ import annotations


class BadBlock(Exception):
    """The block cannot be decoded. Both ends' tables differ from now on, so the connection is lost (RFC 7541, 2.2)."""
