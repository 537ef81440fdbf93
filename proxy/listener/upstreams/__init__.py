"""The ways to upstreams: their pools, the queue for a connection, whether they fail."""
