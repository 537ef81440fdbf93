"""RFC 9110: what requests, responses and failures mean, in whatever version they came. PURE."""
