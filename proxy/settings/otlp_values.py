"""Values of single settings about export and sampling: text or number in, a checked value out. Pure.

May know the grammar of URLs, header fields and OpenTelemetry's lists of pairs.
Must not know any key or variable.
Every parser raises ValueError with a message that says what would be right.
The caller names the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from proxy.settings.addresses import parse_host
from proxy.settings.values import parse_number

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}\Z")  # RFC 9110, 5.6.2
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?\Z|\Z")  # RFC 9110, 5.5, ASCII alone
_PATH: Final = re.compile(r"/[\x21-\x7e]*\Z|\Z")
_OURS: Final = frozenset(
    ("content-length", "content-type", "content-encoding", "transfer-encoding", "host", "connection")
)
_MOST: Final = 64  # pairs


class CollectorUrl(NamedTuple):
    """The address of a collector."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str  # empty, or from its slash on

    def __str__(self) -> str:
        """As written in the settings."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Header:
    """A header of the requests to a collector. Its value may be a secret, and is never shown."""

    name: str
    value: str = field(repr=False)

    def __str__(self) -> str:
        """Without the value."""
        return f"{self.name}=(hidden)"


class Attribute(NamedTuple):
    """One attribute of the resource."""

    key: str
    value: str

    def __str__(self) -> str:
        """As written in OTEL_RESOURCE_ATTRIBUTES."""
        return f"{self.key}={self.value}"


def parse_url(value: object) -> CollectorUrl:
    """`http://host[:port][/path]` or `https://…`; the port is 4318 if none is written (OTLP/HTTP's own)."""
    form = "expected the URL of a collector, such as http://collector:4318"
    if not isinstance(value, str) or not value.strip():
        raise ValueError(form)
    try:
        url = urlsplit(value.strip())
        port = url.port
    except ValueError:
        raise ValueError(form) from None
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"{form}; it begins with http:// or https://")
    if url.username is not None or url.password is not None:
        raise ValueError("a collector's URL has no user name or password; set export.headers")
    if url.query or url.fragment or not _PATH.match(url.path):
        raise ValueError(f"{form}; without a query or a fragment")
    if port == 0:
        raise ValueError("a collector's port is from 1 to 65535")
    scheme: Literal["http", "https"] = "https" if url.scheme == "https" else "http"
    return CollectorUrl(scheme, parse_host(url.hostname), port or 4318, url.path.rstrip("/"))


def parse_headers(value: object) -> tuple[Header, ...]:
    """A section of names and values, or OpenTelemetry's text `name=value,name=value`, values percent-encoded."""
    found: dict[str, Header] = {}
    for name, text in _pairs(value, "expected header names with their values, or the text name=value,name=value"):
        if not _NAME.match(name):
            raise ValueError("a header's name has letters, digits and -")
        if name.lower() in _OURS:
            raise ValueError(f"{name.lower()} is the sidecar's own to set")
        if not _VALUE.match(text):
            raise ValueError(f"the value of {name} holds what a header cannot")
        found[name.lower()] = Header(name, text)
    return tuple(found.values())


def parse_attributes(value: object) -> tuple[Attribute, ...]:
    """A section of keys and values, or the text `key=value,key=value`, values percent-encoded."""
    found: dict[str, Attribute] = {}
    for key, text in _pairs(value, "expected attributes with their values, or the text key=value,key=value"):
        if not key or not key.isprintable() or len(key) > 255:
            raise ValueError("an attribute's key has 1 to 255 printable characters")
        if len(text) > 1024:
            raise ValueError(f"the value of {key[:40]} is longer than 1024 characters")
        found[key] = Attribute(key, text)
    return tuple(found.values())


def _pairs(value: object, form: str) -> Iterator[tuple[str, str]]:
    pairs: Iterable[tuple[object, object]]
    if value is None:
        return
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, str):
        split = [item.partition("=") for item in value.split(",") if item.strip()]
        if not all(equals for _, equals, _ in split):
            raise ValueError(form)
        pairs = [(unquote(name.strip()), unquote(text.strip())) for name, _, text in split]
    elif value == ():
        return
    else:
        raise ValueError(form)
    pairs = list(pairs)
    if len(pairs) > _MOST:
        raise ValueError(f"expected at most {_MOST} of them")
    for name, text in pairs:
        if not isinstance(name, str) or isinstance(text, (dict, list)) or text is None:
            raise ValueError(form)
        yield name, str(text).lower() if isinstance(text, bool) else str(text)


def parse_ratio(value: object) -> float:
    """`always_on`, `always_off`, or a ratio from 0 to 1."""
    form = "expected always_on, always_off, or the ratio of traces to record, from 0 to 1"
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in ("always_on", "always_off"):
        return 1.0 if word == "always_on" else 0.0
    ratio = parse_number(value, form)
    if ratio > 1:
        raise ValueError(form)
    return ratio


def parse_rate(value: object) -> float:
    """Traces per second; 0 is no limit."""
    return parse_number(value, "expected a number of traces per second, or 0 for no limit")
