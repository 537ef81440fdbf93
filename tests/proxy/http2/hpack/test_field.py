"""A header field: what is known of one that nobody has judged."""

from __future__ import annotations

from proxy.http2.hpack.field import HeaderField, Judge
from proxy.semantics.fields import PLAIN


def test_a_field_that_nobody_has_judged_is_plain_and_is_in_no_table() -> None:
    """As those are that we make for the next hop: a table may take them."""
    field = HeaderField(b"x-a", b"12")
    assert field.kind == PLAIN == Judge().kind_of(b"x-a", b"12")
    assert (field.never, field.is_literal) == (False, False)
    assert (field.static, field.holder, field.number) == (0, None, 0)
    assert field.size == 3 + 2 + 32  # RFC 7541, 4.1
    assert repr(field) == "<HeaderField x-a, 2 bytes, kind 0>"
