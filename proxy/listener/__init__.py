"""A listener at work: admits, routes, translates and counts, whatever protocol its connections speak."""
