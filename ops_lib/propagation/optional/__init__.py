"""Formats that are read, written and cleared only where the settings name them: one module each."""
