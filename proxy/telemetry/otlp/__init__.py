"""OTLP: the sidecar's exports, as protobuf over HTTP. Encoded at once, buffered within a bound, sent by one thread."""
