"""A finished exchange as the bytes of one OTLP span (trace.proto, Span). PURE: values in, bytes out. Hot.

Attributes are OpenTelemetry's HTTP conventions (semantic-conventions/docs/http/http-spans.md), and ours under `ops.`.
Parts that the spans of a route share are encoded once, and remembered by what they depend on.
All memories are bounded in bytes: senders choose hosts, agents and sizes.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final, final

from proxy.semantics.request import METHODS
from proxy.telemetry.otlp.attributes import LINK_ATTRIBUTE, TextAttribute, number, string, strings, text
from proxy.telemetry.otlp.protobuf import fixed32, integer, message, varint

SERVER: Final = 2  # Span.SpanKind
CLIENT: Final = 3

# W3C trace flags in bits 0 to 7 of Span.flags, and above them whether the parent is in another process.
SAMPLED: Final = 0x01
RANDOM: Final = 0x02
_PARENT_KNOWN: Final = 0x100
_PARENT_REMOTE: Final = 0x200

_FLAGS: Final = {flags: fixed32(16, flags) for flags in range(_PARENT_REMOTE * 2)}  # Span.flags
_ERROR: Final = integer(3, 2)  # Status.code = STATUS_CODE_ERROR
_TIMES: Final = Struct("<BQBQ")
_START_TAG: Final = 0x39
_END_TAG: Final = 0x41

# Semantic conventions, "gRPC": the statuses that are errors of a server. Of a client, all but OK are.
_FAULTS_OF_SERVERS: Final = frozenset((2, 4, 12, 13, 14, 15))
NOT_RPC: Final = -2
NO_STATUS: Final = -1  # a call whose end told none

_Key = tuple[str, bytes, bytes, bytes, int, str, bool, int]
"""What the fixed part of a span depends on; see `SpanEncoder.encode`."""
_Alike = tuple[_Key, bytes, bytes]
"""What mostly stays as in the last span: its key, host and agent."""

MAX_URL_BYTES: Final = 2048
_MOST_FIXED: Final = 512  # of one listener and upstream; about 400 bytes each
_MOST_REMEMBERED: Final = 512  # hosts, agents, sizes: of each
_LONGEST_REMEMBERED: Final = 256  # bytes of a host or an agent
_LONGEST_LAST: Final = 2048  # bytes of what is alike in the last two spans
_MOST_PEERS: Final = 1024  # connections' ends; about 200 bytes each


@final
class SharedParts:
    """Shared by the encoders of all routes: attributes by value, remembered within a bound (under 1 MiB in all)."""

    __slots__ = (
        "_agents",
        "_hosts",
        "_request_sizes",
        "path",
        "peers",
        "response_sizes",
        "session",
        "url",
        "varints",
    )

    def __init__(self) -> None:
        self.path = TextAttribute("url.path", MAX_URL_BYTES)
        self.url = TextAttribute("url.full", MAX_URL_BYTES)
        self.session = TextAttribute("session.id")
        self.varints = [varint(size) for size in range(4096)]
        self._agents: dict[bytes, bytes] = {}
        self._hosts: dict[int, dict[bytes, bytes]] = {0: {}, 80: {}, 443: {}}  # by the default port; 0: none
        self.peers: dict[int, dict[tuple[bytes, int], bytes]] = {SERVER: {}, CLIENT: {}}
        self._request_sizes: dict[int, bytes] = {}
        self.response_sizes: dict[int, bytes] = {}

    def agent(self, value: bytes) -> bytes:
        """`user_agent.original`."""
        known = self._agents.get(value)
        if known is None:
            known = string("user_agent.original", value)
            if len(value) <= _LONGEST_REMEMBERED and len(self._agents) < _MOST_REMEMBERED:
                self._agents[value] = known
        return known

    def host(self, authority: bytes, default_port: int = 0) -> bytes:
        """`server.address` and `server.port` of `host[:port]`; the port only if present, or if there is a default."""
        hosts = self._hosts[default_port]
        known = hosts.get(authority)
        if known is None:
            name, port = split_authority(authority)
            known = string("server.address", name)
            if port or default_port:
                known += number("server.port", port or default_port)
            if len(authority) <= _LONGEST_REMEMBERED and len(hosts) < _MOST_REMEMBERED:
                hosts[authority] = known
        return known

    def peer(self, kind: int, peer: tuple[bytes, int]) -> bytes:
        """`peer_attributes`. Connections come and go, so the memory is emptied when it is full."""
        peers = self.peers[kind]
        known = peers.get(peer)
        if known is None:
            if len(peers) >= _MOST_PEERS:
                peers.clear()
            known = peers[peer] = peer_attributes(kind, peer[0], peer[1])
        return known

    def sizes(self, request: int, response: int) -> bytes:
        """The sizes of both bodies, in bytes; a request without one has none."""
        theirs = self.response_sizes.get(response)
        if theirs is None:
            theirs = number("http.response.body.size", response)
            if len(self.response_sizes) < _MOST_REMEMBERED:
                self.response_sizes[response] = theirs
        if not request:
            return theirs
        ours = self._request_sizes.get(request)
        if ours is None:
            ours = number("http.request.body.size", request)
            if len(self._request_sizes) < _MOST_REMEMBERED:
                self._request_sizes[request] = ours
        return ours + theirs


def split_authority(authority: bytes) -> tuple[bytes, int]:
    """Host (an IPv6 address without its brackets) and port of `host[:port]`; 0 if no port is said."""
    host, colon, port = authority.rpartition(b":")
    if not colon or not port.isdigit() or host.endswith(b":") or (b":" in host and not host.endswith(b"]")):
        host, port = authority, b""
    if host.startswith(b"[") and host.endswith(b"]"):
        host = host[1:-1]
    return host, int(port[:5]) if port else 0


def peer_attributes(kind: int, address: bytes, port: int) -> bytes:
    """The attributes of a connection's peer, for each of its spans.

    `address`: empty for a Unix socket. On server spans, the peer is also the client.
    """
    if not address:
        return b""
    made = string("network.peer.address", address)
    if port:
        made += number("network.peer.port", port)
    if kind == SERVER:
        made += string("client.address", address)
    return made


def link(trace_id: bytes, span_id: bytes, why: str) -> bytes:
    """A link to another span: ids in hex digits (32 for the trace id), and `ops.link`, the reason for the link."""
    return message(
        13,
        message(1, unhexlify(trace_id))
        + message(2, unhexlify(span_id))
        + string("ops.link", why.encode("ascii"), LINK_ATTRIBUTE),
    )


@final
class SpanEncoder:
    """Encodes the spans of one route (a listener and an upstream)."""

    __slots__ = (
        "_common",
        "_fixed",
        "_is_client",
        "_last",
        "_last_alike",
        "_peers",
        "_query",
        "_route",
        "_shared",
        "kind",
    )

    def __init__(
        self,
        shared: SharedParts,
        *,
        kind: int,
        listener: str,
        upstream: str,
        written: Sequence[str],
        query: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """`kind`: SERVER or CLIENT. `written`: the formats that go out.

        `query`: redacts the secrets in a query; None: queries are not recorded.
        """
        self._shared = shared
        self._peers = shared.peers[kind]  # looked into here first, for speed
        self.kind = kind
        self._is_client = kind == CLIENT
        self._route = "url.template" if self._is_client else "http.route"
        self._query = query
        self._fixed: dict[_Key, bytes] = {}
        self._last_alike: _Alike = ("", b"", b"", b"", -1, "", False, -1), b"", b""
        self._last = b""  # fixed part, host and agent of the last span
        self._common = (
            integer(6, kind)
            + string("ops.listener", listener.encode("utf-8"))
            + string("ops.upstream", upstream.encode("utf-8"))
            + (strings("ops.formats.written", [name.encode("ascii") for name in written]) if written else b"")
        )

    def _make_fixed(
        self, read: str, method: bytes, route: bytes, version: bytes, status: int, fault: str, is_tls: bool
    ) -> bytes:
        """The part that depends on few values only: name, method, route, version, status, formats."""
        is_known = method in METHODS
        name = method if is_known else b"HTTP"
        if route:
            name += b" " + route
        made = message(5, text(name)) + self._common
        if route:
            made += string(self._route, route)
        made += string("http.request.method", method if is_known else b"_OTHER")
        if not is_known:
            made += string("http.request.method_original", method)
        made += string("network.protocol.version", version)
        if not self._is_client:
            made += string("url.scheme", b"https" if is_tls else b"http")
        if read:
            made += strings("ops.formats.read", [name.encode("ascii") for name in read.split(",")])
        if status:
            made += number("http.response.status_code", status)
        is_error = bool(fault) or status >= (400 if self._is_client else 500)
        if is_error:
            made += string("error.type", fault.encode("ascii") if fault else b"%d" % status)
            made += message(15, _ERROR)
        return made

    def _make_fixed_rpc(self, read: str, path: bytes, version: bytes, status: int, fault: str) -> bytes:
        """The same for a call of gRPC: `path` is its name. (semantic-conventions/docs/rpc/grpc.md)"""
        service, _, method = path.lstrip(b"/").rpartition(b"/")
        made = message(5, text(path.lstrip(b"/") or b"grpc")) + self._common
        made += string("rpc.system", b"grpc") + string("rpc.service", service) + string("rpc.method", method)
        made += string("network.protocol.version", version)
        if read:
            made += strings("ops.formats.read", [name.encode("ascii") for name in read.split(",")])
        if status >= 0:
            made += number("rpc.grpc.status_code", status)
        if fault or (status > 0 if self._is_client else status in _FAULTS_OF_SERVERS):
            made += string("error.type", fault.encode("ascii") if fault else b"%d" % status)
            made += message(15, _ERROR)
        return made

    def _fixed_part(self, key: _Key, target: bytes) -> bytes:
        """That of `key`, remembered if it is short."""
        known = self._fixed.get(key)
        if known is not None:
            return known
        read, method, route, version, status, fault, is_tls, rpc = key
        if rpc != NOT_RPC:
            fixed = self._make_fixed_rpc(read, target, version, rpc, fault)
            is_short = len(target) <= _LONGEST_REMEMBERED
        else:
            fixed = self._make_fixed(read, method, route, version, status, fault, is_tls)
            is_short = method in METHODS
        if is_short and len(self._fixed) < _MOST_FIXED:
            self._fixed[key] = fixed
        return fixed

    def encode(
        self,
        trace_id: bytes,
        span_id: bytes,
        parent_id: bytes,
        flags: int,
        read: str,
        method: bytes,
        target: bytes,
        route: bytes,
        is_tls: bool,
        version: bytes,
        status: int,
        fault: str,
        host: bytes,
        peer: tuple[bytes, int],
        agent: bytes,
        session: bytes | None,
        request_bytes: int,
        response_bytes: int,
        end_ns: int,
        duration_ns: int,
        more: bytes,
        rpc: int = NOT_RPC,
    ) -> bytes:
        """One entry of ScopeSpans.spans, its tag and length included.

        Ids are hex digits: 32, 16, and 16 or none for the parent; `flags`: SAMPLED and RANDOM. `read`: the formats that
        were read, joined by commas.
        `method`, `target`, `host` (host[:port]) and `agent`: as on the wire; `version`: "1.1", "2".
        `route`: the template of the path, empty for none.
        `status`: 0 for none; `fault`: the label of ours, empty for none.
        `peer`: address (empty for a Unix socket) and port; see `peer_attributes`.
        `end_ns`: Unix time.
        `more`: rare parts, encoded: attributes, links, trace state.
        `rpc`: the status of a gRPC call; NO_STATUS, or NOT_RPC for other requests.
        """
        shared = self._shared
        is_rpc = rpc != NOT_RPC
        alike = (read, method, target if is_rpc else route, version, status, fault, is_tls, rpc), host, agent
        if alike == self._last_alike:
            known = self._last  # mostly: to compare is faster than to hash
        else:
            known = (
                self._fixed_part(alike[0], target)
                + shared.host(host, (443 if is_tls else 80) if self._is_client else 0)
                + (shared.agent(agent) if agent else b"")
            )
            if len(known) <= _LONGEST_LAST:
                self._last_alike, self._last = alike, known
        if parent_id:
            ids = unhexlify(b"0a10%b1208%b2208%b" % (trace_id, span_id, parent_id))
            flags |= _PARENT_KNOWN | _PARENT_REMOTE
        else:
            ids = unhexlify(b"0a10%b1208%b" % (trace_id, span_id))
            flags |= _PARENT_KNOWN
        sizes = shared.response_sizes.get(response_bytes)
        if request_bytes or sizes is None:
            sizes = shared.sizes(request_bytes, response_bytes)
        parts = [
            ids,
            _TIMES.pack(_START_TAG, end_ns - duration_ns, _END_TAG, end_ns),
            _FLAGS[flags],
            known,
            self._peers.get(peer) or shared.peer(self.kind, peer),
            sizes,
        ]
        path, mark, query = target.partition(b"?")
        if mark:
            query = self._query(query) if self._query is not None else b""
        if is_rpc:
            pass  # its path is its name
        elif self._is_client:
            full = b"%b://%b%b" % (b"https" if is_tls else b"http", host, path)
            parts.append(shared.url.encode(full + b"?" + query if query else full))
        else:
            parts.append(shared.path.encode(path))
            if query:
                parts.append(string("url.query", query))
        if session is not None:
            parts.append(shared.session.encode(session))
        if more:
            parts.append(more)
        data = b"".join(parts)
        size = len(data)
        return b"\x12" + (shared.varints[size] if size < 4096 else varint(size)) + data


def trace_state(value: bytes) -> bytes:
    """`Span.trace_state`, for `more`."""
    return message(3, text(value))
