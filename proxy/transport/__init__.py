"""Sockets, names, time, backpressure: what any protocol needs from the operating system. Must not know HTTP."""
