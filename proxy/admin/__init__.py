"""The admin listener: health and metrics over aiohttp, apart from the data plane. It shows no secret and changes
nothing.
"""

from proxy.admin.state import Phase, State

__all__ = ["Phase", "State"]
