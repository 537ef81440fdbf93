"""Header compression (RFC 7541): header blocks to fields and back. PURE."""
