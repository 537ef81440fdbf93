"""The data plane: HTTP/1.1 in, HTTP/1.1 out, and what lies between. See `dataplane` for its door."""

from proxy.http1.dataplane import DataPlane

__all__ = ["DataPlane"]
