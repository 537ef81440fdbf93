"""What an app was given beside the ids, and what of it is missing in its call. PURE: values in, values out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ops_lib.propagation import Format
from proxy.semantics.request import Field
from proxy.translated import FullTranslation, Translation

STATE: Final = "tracestate"
BAGGAGE: Final = "baggage"
SESSION: Final = "session"

_OURS: Final = b"ops"  # our own member of tracestate


class Given(NamedTuple):
    """What the app got."""

    state: frozenset[bytes]  # keys of other vendors' members
    baggage: bool
    session: bool


NOTHING: Final = Given(frozenset(), False, False)


def given_by(source: Translation) -> Given:
    """What went to the app as `source`."""
    state: frozenset[bytes] = frozenset()
    has_baggage = False
    for name, value in source.headers:
        if name == b"tracestate":
            state = _keys(value)
        elif _is_baggage(name):
            has_baggage = True
    has_session = source.session is not None
    return Given(state, has_baggage, has_session) if state or has_baggage or has_session else NOTHING


def lost_in(
    given: Given, translation: Translation, formats: tuple[Format, ...], sent: list[Field]
) -> Iterator[tuple[str, bool]]:
    """What a call should have, and whether it is lost. `formats`: those that the call came in.

    Only a call in W3C has room for a tracestate.
    """
    if given is NOTHING:
        return
    carried = translation.carried if isinstance(translation, FullTranslation) else ()
    if given.state and Format.TRACECONTEXT in formats:
        kept: frozenset[bytes] = frozenset()
        for name, value in sent:
            if name.lower() == b"tracestate":
                kept |= _keys(value)
        yield STATE, not given.state <= kept
    if given.baggage:
        yield BAGGAGE, not any(_is_baggage(name) for name, _ in sent)
    if given.session:
        is_there = translation.session is not None and SESSION not in carried
        yield SESSION, not is_there


def _is_baggage(name: bytes) -> bool:
    lowered = name.lower()
    return lowered in (b"baggage", b"jaeger-baggage") or lowered.startswith(b"uberctx-")


def _keys(state: bytes) -> frozenset[bytes]:
    members = (member.partition(b"=")[0].strip() for member in state.split(b","))
    return frozenset(key for key in members if key and key != _OURS)
