"""The data plane: builds and owns its parts. The only room that knows every protocol. See `plane`."""

from proxy.dataplane.plane import DataPlane

__all__ = ["DataPlane"]
