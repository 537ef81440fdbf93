"""Puts the sidecar into pods: injection is a pure function on documents, and every way in calls it.

`injection/` is pure, `manifests` reads and writes YAML.
"""
