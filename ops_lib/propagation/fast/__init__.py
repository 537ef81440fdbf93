"""The fast path: headers that are complete, plain and in agreement, read and written without a context."""
