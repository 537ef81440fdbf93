"""Calls of the app, seen together with the requests that are at it."""
