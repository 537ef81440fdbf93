"""HTTP/2 (RFC 9113): its connections. `hpack` and `engine` are pure."""
