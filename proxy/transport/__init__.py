"""Sockets, names, time, backpressure: what any protocol needs of the operating system. Knows no HTTP."""
