"""The Context to headers and back, for carriers, for OpenTelemetry's propagator API, and for threads and processes."""
