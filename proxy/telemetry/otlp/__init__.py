"""OTLP: what the sidecar exports, as protobuf over HTTP. Encoded at once, kept within a bound, sent by one thread."""
