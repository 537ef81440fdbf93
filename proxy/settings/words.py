"""Words that settings know in every place. Pure."""

from __future__ import annotations

CONFIG_VARIABLE = "OPS_SIDECAR_CONFIG"
OFF_WORDS = frozenset({"off", "none", "null", "false", "no", "disabled"})
"""Words for "no such listener" instead of an address."""
ON_WORDS = frozenset({"on", "true", "yes", "enabled"})
"""Words for "yes" instead of an address; they do not say where to listen."""
