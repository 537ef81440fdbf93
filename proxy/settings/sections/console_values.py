"""Values of the console's settings: text in, a checked value out. Pure.

Every parser raises ValueError with a message that says what would be right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from proxy.settings.words import OFF_WORDS

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{8,256}\Z")  # RFC 6750, 2.1
_FORM: Final = "a token of 8 to 256 letters, digits and ._~+/=-"
_MOST_ORIGINS: Final = 64


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is never shown."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "(hidden)"


def parse_token(value: object) -> Secret | Literal["auto", "off"]:
    """`auto`, `off`, or the token itself."""
    if isinstance(value, Secret):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if value is False or text.lower() in OFF_WORDS:
        return "off"
    if text.lower() == "auto":
        return "auto"
    if not _TOKEN.match(text):
        raise ValueError(f"expected auto, off, or {_FORM}")
    return Secret(text)


def parse_optional_token(value: object) -> Secret | None:
    """A token; `off` or nothing is None."""
    if value is None or value == "":
        return None
    try:
        token = parse_token(value)
    except ValueError:
        raise ValueError(f"expected off, or {_FORM}") from None
    if token == "auto":
        raise ValueError("expected a token, or off: a sender has to know it")
    return token if isinstance(token, Secret) else None


def parse_origin(value: object) -> str:
    """`https://host[:port]` as browsers write it, or `*`."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if text == "*":
        return text
    try:
        url = urlsplit(text)
        is_origin = url.scheme in ("http", "https") and bool(url.hostname) and text == f"{url.scheme}://{url.netloc}"
    except ValueError:
        is_origin = False
    if not is_origin or "@" in text:
        raise ValueError("expected an origin such as https://shop.example, or *")
    return text


def parse_store(value: object) -> str:
    """`memory`, or the path of a file."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or "\0" in text:
        raise ValueError("expected memory, or the path of a file")
    return text
