"""What the sidecar says about itself: metrics and logs. Counting never blocks and never fails a request."""
