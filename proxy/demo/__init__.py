"""The demo: three services with three formats, each beside its own sidecar, and one trace through all of them.

May know the sidecar's command line and settings, as any user does.
Must not import its insides: users can do everything that the demo does.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo with the arguments after `ops-sidecar demo`; return the exit code (0: nothing was lost)."""
    from proxy.demo.command import run  # here, so that `python -m proxy.demo.services` loads only what it needs

    return run(argv)
