"""Words that settings know in every place. Pure."""

from __future__ import annotations

CONFIG_VARIABLE = "OPS_SIDECAR_CONFIG"
OFF_WORDS = frozenset({"off", "none", "null", "false", "no", "disabled"})
"""What people write for an address: no such listener."""
ON_WORDS = frozenset({"on", "true", "yes", "enabled"})
"""What people write to have one; but where would it listen?"""
