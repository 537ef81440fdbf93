"""The header lists of the gRPC call that is measured: a usual client's, but for the ids of its trace."""

from __future__ import annotations

REQUEST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/shop.v1.Cart/AddItem"),
    (b":authority", b"cart.shop:50051"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"user-agent", b"grpc-go/1.60.1"),
    (b"grpc-accept-encoding", b"gzip"),
    (b"x-request-tenant", b"acme"),
)
RESPONSE = ((b":status", b"200"), (b"content-type", b"application/grpc"))
TRAILERS = ((b"grpc-status", b"0"), (b"grpc-message", b""))
