"""The console's fixtures, for every test here."""

from lab.consoles import console, start_console

__all__ = ["console", "start_console"]
