"""Injection: which edits put the sidecar into a pod, or take it out. Pure: values in, edits out."""

from proxy.kubernetes.injection.stream import Injected, InjectionError, inject, uninject
from proxy.kubernetes.injection.wanted import Wanted

__all__ = ["Injected", "InjectionError", "Wanted", "inject", "uninject"]
