"""`@trace`: functions with a span around each call."""
