"""The schemas of several versions of Kubernetes, in their strict form: no field that a version does not know."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import kubernetes_validate
from kubernetes_validate import utils

# Native sidecars are on by default since 1.29.
VERSIONS = ("1.29.0", "1.31.0", "1.34.0", "1.37.0")

# It reads a megabyte of definitions for each document.
utils.schema_contents = lru_cache(None)(utils.schema_contents)


def check(document: dict[str, Any], versions: tuple[str, ...] = VERSIONS) -> None:
    """Raises kubernetes_validate.ValidationError."""
    for version in versions:
        kubernetes_validate.validate(document, version, strict=True)
