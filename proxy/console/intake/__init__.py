"""OTLP as it comes: bytes to records. Knows no HTTP and no store."""
