"""Messages of HTTP/2: what they mean to a proxy, and how they are written (RFC 9113, 8). PURE."""
