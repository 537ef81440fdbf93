"""The sidecar: an async reverse proxy that translates trace context and session. docs/architecture.md is its map."""

DISTRIBUTION = "ops-sidecar"
"""Marks this package as ours: proxy.py has one with the same name."""
