"""The version of ops-sidecar, as it was installed. May know nothing else of the sidecar."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """As pip knows it, or `unknown` where it runs from its sources and was never installed."""
    try:
        return version("ops-sidecar")
    except PackageNotFoundError:
        return "unknown"
