"""The errors that this library defines. A caller's headers never cause one."""

from __future__ import annotations

from ops_lib.propagation import ConfigurationError, InvalidSessionError, OpsError, UnknownFormatError

MirascopeOpsError = OpsError
"""The name that code written for Mirascope's `ops` catches."""

__all__ = ["ConfigurationError", "InvalidSessionError", "MirascopeOpsError", "OpsError", "UnknownFormatError"]
