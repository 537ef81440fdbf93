"""A response head: what it means to a proxy (RFC 9113, 8.3.2). PURE."""

from __future__ import annotations

from typing import final

from proxy.compiling import mypyc_attr
from proxy.http2.engine.heads import ResponseHead
from proxy.http2.message.request import VERSION
from proxy.semantics import response as semantics
from proxy.semantics.fields import TRAILER, FieldKinds, announced
from proxy.semantics.request import Field


@final
@mypyc_attr(free_list_len=1)
class Response(semantics.Response):
    """One response of HTTP/2."""

    def __init__(self, head: ResponseHead) -> None:
        self.head = head
        self.status = head.status
        self.plain = head.plain  # to forward unchanged

    def __repr__(self) -> str:
        return f"<Response {self.status}, HTTP/2>"

    @property
    def version(self) -> bytes:
        return VERSION

    def fields(self) -> list[Field]:
        return [(field.name, field.value) for field in self.plain]

    def has_date(self) -> bool:
        for field in self.plain:  # noqa: SIM110 - compiled, a generator costs more
            if field.name == b"date":
                return True
        return False


def read_response(head: ResponseHead, kinds: FieldKinds) -> Response:
    """The response."""
    response = Response(head)
    if head.length >= 0:
        response.length = head.length
    for field in head.special:
        if field.kind == TRAILER:
            if names := announced(field.value, kinds):
                response.trailer = b", ".join((response.trailer, names)) if response.trailer else names
        else:  # such as WWW-Authenticate
            response.plain.append(field)
    return response
