"""What a sidecar needs to take part in a trace: which peers it believes, what it samples, what it remembers."""
