"""`ops-sidecar demo`: hands over to the demo."""

from __future__ import annotations

from collections.abc import Sequence


def run(argv: Sequence[str]) -> int:
    """Run the demo with its own arguments; return its exit code."""
    from proxy.demo import main

    return main(list(argv))
