"""The present state: the OpenTelemetry Context, the session in it, and `tracestate` for OpenTelemetry."""
