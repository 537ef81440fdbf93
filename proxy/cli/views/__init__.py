"""What a running console knows, in a terminal: one module for each command, the same words as the page."""
