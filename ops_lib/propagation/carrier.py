"""Carriers: anything that holds headers. Reads them into fields, and writes to them.

A carrier is a Mapping with `str`, `bytes` or lists of them as
values; a multidict; or a list of pairs of `str` or `bytes` (ASGI).
Names may be in any letter case.
Anything that is neither a name nor a value of a header is skipped; it is never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

from . import baggage, session
from .codec import Codec
from .context import Fields
from .registry import CODECS

Carrier = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
MutableCarrier = MutableMapping[Any, Any] | list[tuple[Any, Any]]

BAGGAGE_NAMES = frozenset({baggage.BAGGAGE, baggage.JAEGER_BAGGAGE})


def known_names(
    session_names: Iterable[str] = session.EXTRACT_NAMES, codecs: Iterable[Codec] = CODECS
) -> frozenset[str]:
    """Every header name, in lower case, that the heart reads for these formats; `uberctx-*` comes in addition."""
    return BAGGAGE_NAMES.union({name.lower() for name in session_names}, *(codec.names for codec in codecs))


_DEFAULT_NAMES = known_names()


def fields(carrier: Carrier, names: frozenset[str] = _DEFAULT_NAMES) -> Fields:
    """The headers that matter: name in lower case -> values in order. `names`: from `known_names`, for other sessions.

    Raises TypeError if `carrier` is not a carrier.
    """
    found: Fields = {}
    uberctx = baggage.UBERCTX
    items = getattr(carrier, "items", None)
    for item in items() if items is not None else carrier:
        try:
            name, value = item
        except (TypeError, ValueError):
            continue
        if isinstance(name, bytes):
            name = name.decode("latin-1")
        elif not isinstance(name, str):
            continue
        name = name.lower()
        if name not in names and not name.startswith(uberctx):
            continue
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
        else:
            values = value if isinstance(value, list | tuple) else (value,)
            texts = [v.decode("latin-1") if isinstance(v, bytes) else v for v in values if isinstance(v, str | bytes)]
            if texts:
                found.setdefault(name, []).extend(texts)
    return found


def inject_into(
    carrier: MutableCarrier, headers: Iterable[tuple[str, str]], *, owns: Callable[[str], bool] | None = None
) -> None:
    """Write `headers` into `carrier`, in place.

    An entry whose name differs only in case is replaced.
    With `owns` (`Propagator.owns`), every other header of ours is removed too, so that one story leaves.
    Names and values are `bytes` if those of the present entries are.
    Names in pairs are in lower case, since gRPC, HTTP/2 and ASGI take nothing else.
    Names in a mapping are in lower case if they are `bytes`, else as given.
    """
    if not carrier and type(carrier) is dict:  # the most common carrier, with nothing to replace
        carrier.update(headers)
        return
    headers = list(headers)
    written = {name.lower() for name, _ in headers}

    def goes(name: Any) -> bool:
        text = name.decode("latin-1") if isinstance(name, bytes) else name
        return isinstance(text, str) and (text.lower() in written or (owns is not None and owns(text)))

    if isinstance(carrier, list):
        name_as, value_as = _kinds(carrier)
        carrier[:] = [pair for pair in carrier if not goes(pair[0])]
        carrier.extend((name_as(name.lower()), value_as(value)) for name, value in headers)
        return
    keys = getattr(carrier, "keys", None)  # werkzeug's and wsgiref's headers give pairs, or nothing, when iterated
    names = list(carrier if keys is None else keys())
    name_as, value_as = _kinds((name, carrier[name]) for name in names)
    for name in names:
        if goes(name) and name in carrier:
            del carrier[name]
    for name, value in headers:
        carrier[name if name_as is _same else name_as(name.lower())] = value_as(value)


def _same(text: str) -> str:
    return text


def _encoded(text: str) -> bytes:
    return text.encode("latin-1")


_Kind = Callable[[str], str | bytes]


def _kinds(entries: Iterable[tuple[Any, Any]]) -> tuple[_Kind, _Kind]:
    """Functions that make names and values like those of the entries: bytes if all known ones are bytes, else text.

    The first name decides for all names.
    Kafka's headers have names of text and values of bytes, or None.
    In gRPC's metadata, an entry whose name ends in `-bin` has bytes among text, and does not count.
    """
    name_as: _Kind = _same
    value_as: _Kind = _same
    for name, value in entries:
        if isinstance(name, bytes):
            name_as = _encoded
        elif isinstance(name, str) and name.endswith("-bin"):
            continue
        if isinstance(value, list | tuple) and value:
            value = value[0]
        if isinstance(value, str):
            return name_as, _same
        if isinstance(value, bytes):
            value_as = _encoded
            if name_as is _encoded:
                break
    return name_as, value_as
