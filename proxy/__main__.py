"""Entry of the console command `ops-sidecar` and of `python -m proxy`. Imports nothing but the command line."""

from proxy.cli.commands import main

if __name__ == "__main__":
    raise SystemExit(main())
