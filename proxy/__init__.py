"""The sidecar: an async reverse proxy that translates trace context and session. docs/architecture.md is its map."""

DISTRIBUTION = "ops-sidecar"
"""Whose package this is: proxy.py has one of the same name."""
