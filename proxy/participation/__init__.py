"""What a sidecar needs to be a part of the trace itself: whom it believes, what it samples, what it remembers."""
