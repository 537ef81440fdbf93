"""One HTTP/2 connection as a state machine (RFC 9113): bytes in, calls and bytes out. PURE: no socket, no clock."""
