"""Values that Kubernetes gives a form: quantities, names, images. Pure."""

from __future__ import annotations

import re

from proxy.settings.values import parse_count

# apimachinery's resource.Quantity: a decimal number, and a suffix of powers of 2 or of 10.
_QUANTITY = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[numkMGTPE]|[KMGTPE]i|[eE][0-9]+)?")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")  # RFC 1123, as Kubernetes reads it
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}")


def parse_quantity(value: object) -> str:
    """An amount such as 100m or 128Mi; empty for none."""
    text = "" if value is None else str(value).strip()
    if text and not _QUANTITY.fullmatch(text):
        raise ValueError("expected a quantity as Kubernetes writes it, such as 100m or 128Mi; empty for none")
    return text


def parse_name(value: object) -> str:
    """The name of an object; empty for none."""
    text = "" if value is None else str(value).strip()
    if text and not _NAME.fullmatch(text):
        raise ValueError("expected the name of an object: small letters, digits, - and .")
    return text


def parse_image(value: object) -> str:
    """A reference to an image; empty for none."""
    text = "" if value is None else str(value).strip()
    if text and not _IMAGE.fullmatch(text):
        raise ValueError("expected an image, such as registry.internal/ops-sidecar:0.1.0")
    return text


def parse_user(value: object) -> int:
    """The number of a user other than root."""
    number = parse_count(value)
    if not 0 < number < 2**31:
        raise ValueError("expected the number of a user other than root, such as 61080")
    return int(number)
