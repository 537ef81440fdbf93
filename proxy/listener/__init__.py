"""A listener at work: admits, routes, translates and counts, for any protocol."""
