"""The console command `ops-sidecar`. Stands outside of `proxy`, to see whether that is ours.

Another distribution, proxy.py, has a package of the same name. Whichever is installed last overwrites the other.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; return the exit code. Refuses where the package `proxy` is somebody else's."""
    try:
        import proxy

        is_ours = getattr(proxy, "DISTRIBUTION", "") == "ops-sidecar"
        from_where = getattr(proxy, "__file__", None) or "unknown"
    except Exception as error:  # whatever somebody else's package raises when it is imported
        is_ours, from_where = False, f"unknown ({type(error).__name__}: {error})"
    if not is_ours:
        print(_refusal(from_where), file=sys.stderr)
        return 2
    from proxy.cli.commands import main as run

    return run()


def _refusal(from_where: str) -> str:
    from importlib.metadata import packages_distributions, version

    others = [name for name in packages_distributions().get("proxy", []) if name != "ops-sidecar"]
    named = ", ".join(f"{name} {version(name)}" for name in dict.fromkeys(others)) or "another program"
    return (
        f"ops-sidecar: cannot start: the package `proxy` here belongs to {named} (from {from_where}).\n"
        "Both have a package of that name, and one environment has room for one of them. Install ops-sidecar into an\n"
        "environment of its own, or uninstall the other and install ops-sidecar again."
    )


if __name__ == "__main__":
    raise SystemExit(main())
