"""The one query layer: every question that the page, the API, the command line and the tools ask. Knows no HTTP.

One module for each view. Each function gets the reader and its arguments, and returns what JSON can say.
"""
