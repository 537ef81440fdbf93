"""What is in force: the OpenTelemetry Context, the session in it, and `tracestate` as OpenTelemetry wants it."""
