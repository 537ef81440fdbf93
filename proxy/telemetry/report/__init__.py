"""What a sidecar tells a console of itself: OTLP logs and metrics on a channel of their own, never to a collector."""
