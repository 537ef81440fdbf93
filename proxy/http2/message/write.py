"""Writes heads for HTTP/2, in whatever version they came. PURE: values in, fields out.

Fields of a message of HTTP/2 go on as the objects that they are: they know their places in the tables.
Everything else goes out as literals.
"""

from __future__ import annotations

from typing import Final

from proxy.http2.engine.fields import AUTHORITY, METHOD, PATH, SCHEME, STATUS
from proxy.http2.hpack.encoder import Literal
from proxy.http2.hpack.field import OVERHEAD_BYTES, HeaderField
from proxy.http2.message.grpc import CONTENT_TYPE, status_fields
from proxy.http2.message.request import Request as Http2Request
from proxy.http2.message.response import Response as Http2Response
from proxy.semantics.faults import Refusal
from proxy.semantics.hop import Hop
from proxy.semantics.problem import problem_of
from proxy.semantics.request import Field, Request
from proxy.semantics.response import Response

Fields = tuple[list[HeaderField], list[Literal]]

_HTTP: Final = HeaderField(b":scheme", b"http", SCHEME)
_HTTPS: Final = HeaderField(b":scheme", b"https", SCHEME)
_TE: Final = HeaderField(b"te", b"trailers")
_METHODS: Final = {
    name: HeaderField(b":method", name, METHOD)
    for name in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"CONNECT")
}
_STATUSES: Final = {status: HeaderField(b":status", b"%d" % status, STATUS) for status in range(100, 600)}
_GRPC: Final = HeaderField(b"content-type", CONTENT_TYPE)

# RFC 9113, 8.2.2. HTTP/1.1 has dropped most of them already.
_CONNECTION_SPECIFIC: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"te", b"host")
)


def request_fields(request: Request, trace: list[Field], host: bytes, hop: Hop, is_tls: bool) -> Fields:
    """A request for the upstream. `host`: the value of `:authority`; empty for none."""
    scheme = _HTTPS if is_tls else _HTTP
    literals: list[Literal] = []
    if isinstance(request, Http2Request):
        authority = request.authority_field
        if authority is None or authority.value != host:
            authority = HeaderField(b":authority", host, AUTHORITY)
        fields = [request.method_field]
        if request.path_field is not None:
            fields.append(scheme)
            fields.append(request.path_field)
        if host:
            fields.append(authority)
        if request.protocol_field is not None:
            fields.append(request.protocol_field)
        fields += request.plain
        if request.length_field is not None:
            fields.append(request.length_field)
    else:
        method = _METHODS.get(request.method) or HeaderField(b":method", request.method, METHOD)
        fields = [method, scheme, HeaderField(b":path", request.path, PATH, is_literal=True)]
        if host:
            fields.append(HeaderField(b":authority", host, AUTHORITY))
        literals += _as_literals(request.fields())
        if request.length:
            literals.append((b"content-length", b"%d" % request.length))
    if request.takes_trailers:
        fields.append(_TE)
    for name, value in trace:
        literals.append((name.lower(), value))
    _add_hop(fields, literals, request, hop)
    if request.max_forwards is not None:
        literals.append((b"max-forwards", b"%d" % (request.max_forwards - 1)))
    return fields, literals


def _add_hop(fields: list[HeaderField], literals: list[Literal], request: Request, hop: Hop) -> None:
    """What `hop` adds. For a client without an earlier proxy it is always the same, up to the host."""
    if not hop.is_first(request):
        literals += _as_literals(hop.fields(request))
        return
    kept = hop.also
    if not isinstance(kept, _Kept) or kept.version != request.version:
        kept = hop.also = _Kept(request, hop)
    fields += kept.fields
    if kept.tells_host:
        fields.append(kept.host_field(request.host))


class _Kept:
    """The fields that a hop adds to each request without an earlier proxy."""

    __slots__ = ("_host", "_host_field", "fields", "tells_host", "version")

    def __init__(self, request: Request, hop: Hop) -> None:
        self.version = request.version  # Via has it
        self.tells_host = hop.tells_host
        added = hop.fields(request)
        if hop.tells_host:  # the last of them
            added = added[:-1]
        self.fields = [HeaderField(name.lower(), value) for name, value in added]
        self._host = b""
        self._host_field = HeaderField(b"x-forwarded-host", b"")

    def host_field(self, host: bytes) -> HeaderField:
        """X-Forwarded-Host."""
        if host != self._host:
            self._host = host
            self._host_field = HeaderField(b"x-forwarded-host", host)
        return self._host_field


def list_bytes(fields: list[HeaderField], literals: list[Literal]) -> int:
    """What they count against SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113, 6.5.2)."""
    size = OVERHEAD_BYTES * len(literals)
    for field in fields:
        size += field.size
    for name, value in literals:
        size += len(name) + len(value)
    return size


def response_fields(response: Response, via: bytes, date: bytes, trace: bytes) -> Fields:
    """A response for the client. `via`: our name there; `date`: the time; `trace`: a line that tells the client its
    trace. Each is empty for none.
    """
    literals: list[Literal] = []
    if isinstance(response, Http2Response):
        fields = [response.head.status_field]
        fields += response.plain
        if response.head.length_field is not None:
            fields.append(response.head.length_field)
    else:
        fields = [_status(response.status)]
        literals += _as_literals(response.fields())
        if response.length is not None and response.status != 204 and response.status >= 200:
            literals.append((b"content-length", b"%d" % response.length))
    if response.trailer:
        literals.append((b"trailer", response.trailer))
    if date:
        literals.append((b"date", date))
    if via:
        literals.append((b"via", response.version + b" " + via))
    if trace:
        name, _, value = trace.partition(b": ")
        literals.append((name.lower(), value))
    return fields, literals


def call_refusal(refusal: Refusal, *, details: bool, date: bytes) -> Fields:
    """The answer to a call of gRPC that has failed: trailers without content before them ("Trailers-Only")."""
    literals = [*status_fields(refusal, details=details), (b"date", date)]
    return [_STATUSES[200], _GRPC], literals


def problem(
    refusal: Refusal, *, details: bool, date: bytes, trace: bytes
) -> tuple[list[HeaderField], list[Literal], bytes]:
    """The answer to any other request that has failed, and its content."""
    told = problem_of(refusal.fault, refusal.detail if details else "")
    literals = _as_literals(told.fields)
    literals.append((b"content-length", b"%d" % len(told.content)))
    literals.append((b"date", date))
    if trace:
        name, _, value = trace.partition(b": ")
        literals.append((name.lower(), value))
    return [_status(told.status)], literals, told.content


def options_answer(allow: Field, date: bytes) -> Fields:
    """The answer to an OPTIONS that is not forwarded (RFC 9110, 7.6.2)."""
    return [_STATUSES[200]], [(b"date", date), (allow[0].lower(), allow[1]), (b"content-length", b"0")]


def _status(status: int) -> HeaderField:
    return _STATUSES.get(status) or HeaderField(b":status", b"%d" % status, STATUS)


def _as_literals(fields: list[Field]) -> list[Literal]:
    literals: list[Literal] = []
    for name, value in fields:
        lowered = name.lower()
        if lowered not in _CONNECTION_SPECIFIC:
            literals.append((lowered, value))
    return literals
