"""The admin listener, apart from the data plane: health, metrics, settings, and what it can be told to do.

It shows no secrets. Nothing is changed by GET, or for the page of another site.
"""
