"""Kinds of values for pydantic: each is one of our parsers, so that every message is ours, too.

May know pydantic and the parsers. Must not know any key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from annotated_types import Len
from pydantic import BeforeValidator, PlainValidator

from ops_lib.hosts import HostPattern
from ops_lib.propagation import COMPOSITE, FAMILIES, KNOWN_FORMATS, Format, parse_formats
from proxy.address import Address
from proxy.path_templates import MAX_TEMPLATES
from proxy.settings import otlp_values, values
from proxy.settings.addresses import (
    TargetUrl,
    parse_host,
    parse_listen,
    parse_listens,
    parse_network,
    parse_pattern,
    parse_target,
)
from proxy.settings.values import (
    parse_bytes,
    parse_count,
    parse_on_defer,
    parse_path_template,
    parse_response_header,
    parse_seconds,
    parse_session_header,
    read_families,
)
from proxy.settings.yaml_file import read_value


def split_items(value: object) -> object:
    """A list written as text (environment, flag): `a,b` or `[a, b]`. A single item that is not text stays unchanged."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        return read_value(text)
    return [item.strip() for item in text.split(",") if item.strip()]


def read_sections(value: object) -> object:
    """A list of sections; a key without a value is an empty list."""
    return () if value is None else value


_FORMATS = f"{', '.join(KNOWN_FORMATS)}, or {COMPOSITE} for all that are read by default"


def _formats(value: object) -> tuple[Format, ...]:
    items = split_items(value)
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError(f"expected a list of formats: {_FORMATS}")
    if not items:
        raise ValueError(f"expected at least one format: {_FORMATS}")
    return parse_formats(items)


def _families(value: object) -> tuple[str, ...]:
    items = split_items(value)
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError(f"expected a list of families of trace headers: {', '.join(FAMILIES)}")
    return read_families(items)


def _networks(value: object) -> tuple[str, ...]:
    """Addresses and CIDRs, each as a CIDR."""
    items = split_items(value)
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError("expected a list of addresses or CIDRs, such as [10.0.0.0/8]; [] for none")
    return tuple(str(parse_network(item)) for item in items)


def _listens(value: object) -> tuple[Address, ...]:
    """As a flag or a variable may write it, too: `[a, b]`."""
    text = value.strip() if isinstance(value, str) else ""
    is_list = text.startswith("[") and text.endswith("]") and not _IPV6.fullmatch(text)
    return parse_listens(read_value(text) if is_list else value)


_IPV6 = re.compile(r"\[[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]")  # an address that lacks its port


def _within(parse: Callable[[object], float], low: float, high: float, unit: str) -> Callable[[object], Any]:
    """`parse`, and the number must lie from `low` to `high`."""

    def check(value: object) -> float:
        number = parse(value)
        if not low <= number <= high:
            raise ValueError(f"expected {low:,} to {high:,}{unit}")
        return number

    return check


def _or_auto(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    """`auto`, or what `parse` takes."""

    def check(value: object) -> object:
        if isinstance(value, str) and value.strip().lower() == "auto":
            return "auto"
        try:
            return parse(value)
        except ValueError as error:
            raise ValueError(f"{error}, or auto") from None

    return check


def _methods(value: object) -> tuple[str, ...]:
    """Methods, as on the wire; `none` for no method."""
    items = split_items(value)
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError("expected a list of methods, such as [TRACE]; [] for none")
    for item in items:
        if not values.METHOD.match(item):
            raise ValueError(f"{item!r} is not a method: expected capital letters and -, such as TRACE")
    return tuple(dict.fromkeys(items))


_LENIENCIES = ("bare-lf", "obs-fold", "equal-lengths", "head-framing", "many-fields")


def _leniencies(value: object) -> tuple[str, ...]:
    """What is forgiven in an upstream's responses; see docs/settings.md."""
    items = split_items(value)
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError(f"expected a list of {', '.join(_LENIENCIES)}; [] for none")
    unknown = [item for item in items if item not in _LENIENCIES]
    if unknown:
        close = difflib.get_close_matches(unknown[0], _LENIENCIES, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"{unknown[0]!r} is not known: expected some of {', '.join(_LENIENCIES)}{meant}")
    return tuple(dict.fromkeys(items))


Listens = Annotated[tuple[Address, ...], PlainValidator(_listens)]


_LONGEST_NAME = 512  # characters of a certificate's name


def _certificate_name(value: object) -> str:
    """A name in a client's certificate, in lower case; `*.` in front stands for labels."""
    text = value.strip().lower() if isinstance(value, str) else ""
    is_name = 0 < len(text) <= _LONGEST_NAME and text.isprintable() and " " not in text
    if not is_name or "*" in text.removeprefix("*.") or text == "*.":
        raise ValueError("expected a name as in a certificate: caller.internal, *.internal, or spiffe://domain/path")
    return text


Listen = Annotated[Address | None, PlainValidator(parse_listen)]
TargetValue = Annotated[TargetUrl, PlainValidator(parse_target)]
Host = Annotated[str, PlainValidator(parse_host)]
Pattern = Annotated[HostPattern, PlainValidator(parse_pattern)]
Families = Annotated[tuple[str, ...], PlainValidator(_families)]
Formats = Annotated[tuple[Format, ...], PlainValidator(_formats)]
HeaderName = Annotated[str, PlainValidator(parse_session_header)]
ResponseHeader = Annotated[str, PlainValidator(parse_response_header)]
HeaderNames = Annotated[tuple[HeaderName, ...], BeforeValidator(split_items)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(split_items)]
CertificateName = Annotated[str, PlainValidator(_certificate_name)]
CertificateNames = Annotated[tuple[CertificateName, ...], BeforeValidator(split_items)]
PathTemplate = Annotated[str, PlainValidator(parse_path_template)]
PathTemplates = Annotated[tuple[PathTemplate, ...], BeforeValidator(split_items), Len(0, MAX_TEMPLATES)]
Seconds = Annotated[float, PlainValidator(_within(parse_seconds, 0.001, 86400 * 7, " s"))]
SecondsOrZero = Annotated[float, PlainValidator(_within(parse_seconds, 0, 86400 * 7, " s"))]
SecondsOrAuto = Annotated[Literal["auto"] | float, PlainValidator(_or_auto(_within(parse_seconds, 0, 86400 * 7, " s")))]
Bytes = Annotated[int, PlainValidator(_within(parse_bytes, 256, 2**30, " bytes"))]
BytesOrZero = Annotated[int, PlainValidator(_within(parse_bytes, 0, 2**60, " bytes"))]
StoreBytes = Annotated[int, PlainValidator(_within(parse_bytes, 0, 2**44, " bytes"))]
StoreSeconds = Annotated[float, PlainValidator(_within(parse_seconds, 0, 86400 * 3660, " s"))]
Count = Annotated[int, PlainValidator(_within(parse_count, 1, 1_000_000, ""))]
CountOrZero = Annotated[int, PlainValidator(_within(parse_count, 0, 1_000_000, ""))]
Switch = Annotated[Literal["auto"] | bool, PlainValidator(values.parse_switch)]
Networks = Annotated[tuple[str, ...], PlainValidator(_networks)]
Methods = Annotated[tuple[str, ...], PlainValidator(_methods)]
Leniencies = Annotated[tuple[str, ...], PlainValidator(_leniencies)]
OnDefer = Annotated[values.OnDefer, PlainValidator(parse_on_defer)]
ExportUrl = Annotated[otlp_values.CollectorUrl, PlainValidator(otlp_values.parse_url)]
Headers = Annotated[tuple[otlp_values.Header, ...], PlainValidator(otlp_values.parse_headers)]
ResourceAttributes = Annotated[tuple[otlp_values.Attribute, ...], PlainValidator(otlp_values.parse_attributes)]
Ratio = Annotated[float, PlainValidator(otlp_values.parse_ratio)]
Rate = Annotated[float, PlainValidator(_within(otlp_values.parse_rate, 0, 1_000_000, " a second"))]
Port = Annotated[int, PlainValidator(_within(parse_count, 1, 65535, ""))]
Ports = Annotated[tuple[Port, ...], BeforeValidator(split_items)]
Lines = Annotated[int, PlainValidator(_within(parse_count, 100, 1_000_000, " lines"))]  # only the start writes some
