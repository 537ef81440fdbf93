"""What the sidecar says of itself: metrics, logs. Counting never blocks and never fails a request."""
