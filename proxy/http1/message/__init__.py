"""RFC 9112: bytes to heads and bodies, and back. PURE."""
