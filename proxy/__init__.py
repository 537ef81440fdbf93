"""The sidecar: an async reverse proxy that translates trace context and session. docs/architecture.md is its map."""
