"""The life of a sidecar: start, reload, drain, stop, and the signals that ask for them."""

from proxy.lifecycle.generation import Generation
from proxy.lifecycle.lifecycle import Admin, Lifecycle

__all__ = ["Admin", "Generation", "Lifecycle"]
