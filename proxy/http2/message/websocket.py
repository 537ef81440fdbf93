"""A WebSocket of HTTP/2 (RFC 8441) as one of HTTP/1.1 (RFC 6455, 4), for an upstream that speaks that. PURE.

    CONNECT, :protocol websocket      GET, Upgrade: websocket, Sec-WebSocket-Key
    :status 200                       101, Sec-WebSocket-Accept, which the key makes

All other fields of the handshake are the same in both.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from proxy.http2.hpack.encoder import Literal
from proxy.http2.message.request import Request
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.request import PROMPT
from proxy.semantics.response import Response

_WEBSOCKET: Final = b"websocket"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_KEY: Final = b"sec-websocket-key"
_ACCEPT: Final = b"sec-websocket-accept"


def as_upgrade(request: Request, random: bytes) -> None:
    """Make a GET with Upgrade of an extended CONNECT. `random`: 16 bytes. Raises Refusal if it is no WebSocket."""
    protocol = request.protocol_field
    if protocol is None or protocol.value.lower() != _WEBSOCKET:
        text = "of extended CONNECT, only WebSocket goes on over HTTP/1.1"
        raise Refusal(Fault.NOT_IMPLEMENTED, text)
    request.method = b"GET"
    request.upgrade = _WEBSOCKET
    request.length = 0
    request.pace = PROMPT
    request.forward(_KEY, base64.b64encode(random))


def accepted_fields(request: Request, response: Response) -> list[Literal] | None:
    """The fields for the client's 200, of a 101; None if it is not the answer to the key of `request`."""
    wanted = base64.b64encode(hashlib.sha1(request.field(_KEY) + _GUID, usedforsecurity=False).digest())
    fields = [(name.lower(), value) for name, value in response.fields()]
    if [value for name, value in fields if name == _ACCEPT] != [wanted]:
        return None
    return [(name, value) for name, value in fields if name != _ACCEPT]
