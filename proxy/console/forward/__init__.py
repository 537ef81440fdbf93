"""What is received, sent on to another collector as it came."""
