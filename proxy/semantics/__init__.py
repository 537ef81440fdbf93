"""RFC 9110: what requests, responses and failures mean, in any version of HTTP. PURE."""
