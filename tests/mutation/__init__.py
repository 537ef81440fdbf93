"""Mutation testing of the project: see `__main__`."""
