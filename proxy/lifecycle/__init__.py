"""The life of a sidecar: start, reload, drain, stop, and the signals that ask for them."""

from proxy.lifecycle.generation import Generation
from proxy.lifecycle.lifecycle import Admin, Lifecycle
from proxy.lifecycle.manager import ServiceManager

__all__ = ["Admin", "Generation", "Lifecycle", "ServiceManager"]
