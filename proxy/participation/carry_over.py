"""Carries over what an app's own format cannot carry: remembers it of a request, and restores it on the app's calls.
PURE.

May know the heart and the table of requests in flight.
An app that speaks B3 or Jaeger has no room for a tracestate and the random flag.
One that copies `traceparent` alone loses debug and the width of the id.
Many forward neither baggage nor session.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, final

from ops_lib.propagation import (
    HAS_STATE,
    IS_RANDOM,
    IS_SHORT,
    Baggage,
    Extraction,
    Format,
    Loss,
    Member,
    Plain,
    Sampling,
    TraceContext,
    codec_of,
)
from proxy.participation.carried import NOTHING_CARRIED, Carried

_PADDING: Final = "0" * 16
_RAW_PADDING: Final = b"0" * 16
_OF_BAGGAGE: Final = len("baggage: \r\n")


class PlaceOf(NamedTuple):
    """The place of a request in its trace, as the app was told, and the values that the app's format cannot say."""

    trace_id: bytes
    span_id: bytes
    carried: Carried


@final
class CarryOver:
    """Decides what to remember of requests to an app that gets certain formats. Immutable.

    An app that gets several formats may forward any one of them,
    so everything that one of them cannot say is remembered.
    """

    __slots__ = ("_baggage", "_debug", "_random", "_state", "_traits", "_width")

    def __init__(self, formats: Iterable[Format], *, baggage: bool) -> None:
        """`baggage`: whether it is ours to carry."""
        lost = frozenset[Loss]().union(*(codec_of(each).cannot_say for each in formats))
        self._state = Loss.TRACESTATE in lost
        self._debug = Loss.DEBUG in lost
        self._width = Loss.WIDTH in lost
        self._random = Loss.RANDOM in lost
        traits = ((self._state, HAS_STATE), (self._width, IS_SHORT), (self._random, IS_RANDOM))
        self._traits = sum(trait for is_lost, trait in traits if is_lost)
        self._baggage = baggage

    def of_plain(self, plain: Plain[bytes]) -> PlaceOf | None:
        """For plain headers that went to the app; None if there is nothing to remember."""
        (trace_id, span_id, _), state, session, _, traits, _, baggage = plain
        if session is None and baggage is None and not traits & self._traits:
            return None
        carried = Carried(
            state.decode("latin-1") if self._state else "",
            _baggage_of(baggage[0]) if baggage is not None and self._baggage else None,
            session.decode("latin-1") if session is not None else None,
            False,
            self._width and bool(traits & IS_SHORT),
            self._random and bool(traits & IS_RANDOM),
        )
        if traits & IS_SHORT:
            trace_id = _RAW_PADDING + trace_id
        return PlaceOf(trace_id, span_id, carried) if carried != NOTHING_CARRIED else None

    def of_context(self, context: TraceContext, extraction: Extraction | None) -> PlaceOf | None:
        """For a context that went to the app, and the values beside it; None if there is nothing to remember."""
        carried = Carried(
            context.tracestate if self._state else "",
            extraction.baggage if extraction is not None and self._baggage else None,
            extraction.session if extraction is not None else None,
            self._debug and context.sampling is Sampling.DEBUG,
            self._width and context.short,
            self._random and context.random,
        )
        if carried == NOTHING_CARRIED:
            return None
        return PlaceOf(context.trace_id.encode("ascii"), context.span_id.encode("ascii"), carried)


def given(plain: Plain[bytes]) -> Extraction:
    """All that plain headers said to the app."""
    (trace_id, span_id, flag), state, session, _, traits, parent, baggage = plain
    text = trace_id.decode("ascii")
    context = TraceContext(
        _PADDING + text if traits & IS_SHORT else text,
        span_id.decode("ascii"),
        Sampling.ACCEPT if flag == b"1" else Sampling.DENY,
        bool(traits & IS_SHORT),
        bool(traits & IS_RANDOM),
        parent.decode("ascii") if parent is not None else None,
        state.decode("latin-1"),
    )
    return Extraction(
        context,
        session=session.decode("latin-1") if session is not None else None,
        baggage=_baggage_of(baggage[0]) if baggage is not None else None,
    )


def _baggage_of(text: bytes) -> Baggage:
    """Plain baggage: no white space, nothing encoded, no duplicate keys."""
    members = tuple(Member(*entry.split("=", 1)) for entry in text.decode("latin-1").split(","))
    return Baggage(members, len(text) + _OF_BAGGAGE)


def lacks(plain: Plain[bytes], carried: Carried) -> bool:
    """Whether plain headers of the app's call lack something of `carried`."""
    (_, _, flag), state, session, _, traits, _, baggage = plain
    return (
        (session is None and carried.session is not None)
        or (baggage is None and carried.baggage is not None)
        or (not state and carried.tracestate != "")
        or (carried.is_debug and flag == b"1")
        or (carried.is_short and not traits & IS_SHORT)
        or (carried.is_random and not traits & IS_RANDOM)
    )


def put_back(extraction: Extraction, carried: Carried, *, baggage: bool) -> tuple[Extraction, tuple[str, ...]]:
    """`extraction`, of the app's call, completed; and the names of the restored values.

    Values from the app count. A decision that it has changed stays changed. `baggage`: whether it is ours to write.
    """
    context = extraction.context
    if context is None:
        return extraction, ()
    names: list[str] = []
    if carried.tracestate and not context.tracestate:
        context = context._replace(tracestate=carried.tracestate)
        names.append("tracestate")
    if carried.is_debug and context.sampling is Sampling.ACCEPT:
        context = context._replace(sampling=Sampling.DEBUG)
        names.append("debug")
    if carried.is_short and not context.short:
        context = context._replace(short=True)
        names.append("width")
    if carried.is_random and not context.random:
        context = context._replace(random=True)
        names.append("random")
    session = extraction.session
    if carried.session is not None and session is None:
        session = carried.session
        names.append("session")
    members = extraction.baggage
    if baggage and carried.baggage is not None and members is None:
        members = carried.baggage
        names.append("baggage")
    if not names:
        return extraction, ()
    return extraction._replace(context=context, session=session, baggage=members), tuple(names)
