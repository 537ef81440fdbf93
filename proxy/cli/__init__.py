"""The command line: parses arguments, prints, and chooses the exit code. Everything else is done further down.

Modules here import what they need only when their command runs, so that `translate` and `version` work without the
`sidecar` extra, and `--help` is quick.
"""
