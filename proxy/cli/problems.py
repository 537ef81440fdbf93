"""Shows wrong settings on standard error."""

from __future__ import annotations

import sys

from proxy.errors import SettingsError


def print_problems(error: SettingsError) -> None:
    """Print each problem on a separate line."""
    count = len(error.problems) + error.more
    print(f"ops-sidecar: {count} problem{'s' if count != 1 else ''} in the settings:", file=sys.stderr)
    for problem in error.problems:
        print(f"  {problem}", file=sys.stderr)
    if error.more:
        print(f"  and {error.more} more", file=sys.stderr)
