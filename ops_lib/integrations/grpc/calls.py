"""Shared by both sides of a gRPC call: its span's attributes, its end, and the parsing of targets.

Source of names: OpenTelemetry semantic conventions, "gRPC".
Tracing fails open: nothing here raises to its caller.
May know spans; must not know interceptors.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode

from ops_lib.context.current import SPAN_KEY, Attached, with_value
from ops_lib.propagation.optional.grpc_trace_bin import GRPC_TRACE_BIN
from ops_lib.spans.attributes import attributes_of, name_of, text_of
from ops_lib.spans.exceptions import record_exception
from ops_lib.spans.failures import FAILURES
from ops_lib.spans.span import start_in
from ops_lib.spans.start import end_span

# The statuses that count as errors on a server (semantic conventions, "gRPC", "Span status").
# On a client, all but OK do.
_SERVER_FAULTS: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


_BINARY: Final = "-bin"  # names that end so have bytes as values; on the wire these are base64


def as_headers(metadata: Iterable[tuple[str, Any]] | None) -> list[tuple[str, str]]:
    """The metadata of a call as the heart reads it: of binary values, only those of `grpc-trace-bin`."""
    return [
        (name, b64encode(value).decode("ascii") if isinstance(value, bytes) else value)
        for name, value in metadata or ()
        if not name.endswith(_BINARY) or name == GRPC_TRACE_BIN
    ]


def as_metadata(headers: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """`headers` as gRPC takes them."""
    return [
        (name, b64decode(value + "==") if name == GRPC_TRACE_BIN and isinstance(value, str) else value)
        for name, value in headers
    ]


class Call:
    """One call and its span, which starts when this is made and ends once."""

    __slots__ = ("_context", "_ended", "_is_client", "_span")

    def __init__(self, context: Context, method: str | bytes, kind: SpanKind, place: dict[str, object]) -> None:
        """`context`: the parent's; `method`: as on the wire, `/shop.Orders/Place`; `place`: the peer's."""
        self._ended = False
        self._is_client = kind is SpanKind.CLIENT
        name = name_of((method.decode("latin-1") if isinstance(method, bytes) else method).lstrip("/"))
        self._span = start_in(
            context, name, attributes_of({"rpc.system.name": "grpc", "rpc.method": name, **place}), kind
        )
        self._context = with_value(context, SPAN_KEY, self._span)

    def attached(self) -> Attached:
        """The call's Context in force for a block."""
        return Attached(lambda: self._context)

    def fail(self, error: BaseException) -> None:
        """Record an exception that leaves the call."""
        record_exception(self._span, error)

    def end(self, code: object, details: object = None) -> None:
        """End the span with a status code of gRPC's; only the first call counts."""
        if self._ended:
            return
        self._ended = True
        try:
            if self._span.is_recording() and (status := code_name(code)) is not None:
                self._span.set_attribute("rpc.response.status_code", status)
                if status in _SERVER_FAULTS or (self._is_client and status != "OK"):
                    self._span.set_attribute("error.type", status)
                    self._span.set_status(StatusCode.ERROR, text_of(details) if details else None)
        except Exception:  # the outermost edge: span processors may be anyone's
            FAILURES.tell("tracing of a gRPC call failed; the call goes on")
        end_span(self._span)


def code_name(code: Any) -> str | None:
    """The name of a status code, which gRPC passes as an enum member or a number; None for none."""
    import grpc

    if isinstance(code, grpc.StatusCode):
        return str(code.name)
    return next((str(known.name) for known in grpc.StatusCode if known.value[0] == code), None)


def host_of(target: str) -> tuple[str, int | None]:
    """Host and port of a channel's target (gRPC Name Resolution); an empty host for one that has none.

    `dns:///shop:50051`, `dns://8.8.8.8/shop:50051`, `ipv4:10.0.0.1:50051`, `shop:50051`, `unix:/run/shop.sock`.
    """
    scheme, colon, rest = target.partition(":")
    if colon and scheme in ("unix", "unix-abstract", "vsock"):
        return "", None
    if colon and scheme in ("dns", "ipv4", "ipv6", "xds"):
        target = rest.rpartition("/")[2].partition(",")[0]  # the first of several addresses
    host, colon, port = target.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or (":" in host and not host.endswith("]")):
        return target.strip("[]"), None
    return host.strip("[]"), int(port)


def peer_of(text: object) -> dict[str, object]:
    """Address and port of a peer in gRPC's form: `ipv4:10.0.0.1:40000`, `ipv6:%5B::1%5D:40000`, `unix:`."""
    if not isinstance(text, str) or not text.startswith(("ipv4:", "ipv6:")):
        return {}
    host, port = host_of(unquote(text))
    return {"network.peer.address": host, **({"network.peer.port": port} if port is not None else {})}


@contextmanager
def fails_open() -> Iterator[None]:
    """Logs failures of tracing; the call continues."""
    try:
        yield
    except Exception:  # the outermost edge: samplers and span processors may be anyone's
        FAILURES.tell("tracing of a gRPC call failed; the call goes on")
