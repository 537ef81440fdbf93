"""What goes out for one request, and what is to be counted and told of it. PURE.

May know the heart and the span of ours. Must not know how it was found: see `translate`.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Final, NamedTuple, final

from ops_lib.propagation import Cargo, Extraction, Format, Loss, Plain, TraceContext, child
from proxy.compiling import mypyc_attr
from proxy.participation.carry_over import given
from proxy.participation.foreign import Foreign
from proxy.participation.gate import NOTHING_WITHHELD, RawHeaders
from proxy.participation.linking import Method
from proxy.participation.own_span import OwnSpan

NO_HEADERS: Final[RawHeaders] = []
"""Of a request that has none, or whose trace fields nobody asks for any longer."""


class Translates(metaclass=ABCMeta):
    """The translator, as a translation by the fast path knows it: who reads in full once somebody asks."""

    __slots__ = ("injected", "losses_of_traits")

    injected: tuple[Format, ...]  # the formats that go out
    losses_of_traits: tuple[tuple[tuple[Format, Loss], ...], ...]  # of a fast translation, by its traits

    @abstractmethod
    def extract(self, headers: RawHeaders) -> Extraction | None:
        """What `headers` say; None if there are none."""

    @abstractmethod
    def formats_of(self, names: tuple[bytes, ...]) -> str:
        """The formats of valid headers with these names, joined by commas."""


class FullTranslation(NamedTuple):
    """The headers to write for one request, and the values to count."""

    headers: RawHeaders  # to append to the outgoing head
    extraction: Extraction | None  # None: the request had no header of ours
    injected: tuple[Format, ...]  # the formats that went out
    losses: tuple[tuple[Format, Loss], ...]
    context: TraceContext | None  # what went out
    foreign: Foreign = ()
    read: str = ""  # the formats that were read, joined by commas
    session: bytes | None = None
    span: OwnSpan | None = None  # our own, if we take part and it is recorded
    link: TraceContext | None = None  # the context that was replaced by a new trace
    carried: tuple[str, ...] = ()  # what was put back because the app's format cannot carry it
    linked: Method | None = None  # how a call without a context was joined to a request
    candidates: tuple[TraceContext, ...] = ()  # where a call that could not be joined may belong
    withheld: tuple[Cargo, ...] = NOTHING_WITHHELD  # what would have gone out, and may not
    refused: tuple[str, ...] = ()  # what the peer was not believed


@final
@mypyc_attr(free_list_len=1)
class FastTranslation:
    """The same, by the heart's fast path. Values that only logs and counters need are read on demand."""

    __slots__ = (
        "_beside",
        "_came",
        "_came_span",
        "_read",
        "_translator",
        "headers",
        "plain",
        "session",
        "span",
    )

    def __init__(
        self,
        headers: RawHeaders,
        plain: Plain[bytes],
        translator: Translates,
        came: RawHeaders,
        span_id: bytes,
        span: OwnSpan | None,
        ids: tuple[bytes, bytes, bytes],
        withheld: tuple[Cargo, ...] = NOTHING_WITHHELD,
        read: str = "",
    ) -> None:
        """`span_id`: of our own span, empty if there is none; `span`: our span, if it is recorded.

        `read`: as the property, if it is known.
        """
        self.headers = headers
        self._came_span = ids[1] if span_id else b""  # the caller's, if one of ours goes out instead
        # What few have: other families' headers, and what may not go out.
        self._beside: tuple[Foreign, tuple[Cargo, ...]] | None = ((), withheld) if withheld else None
        self.span = span
        self.plain = plain  # what went out
        self.session = plain[2]  # that came
        self._translator = translator
        self._came = came
        self._read = read

    def forget_what_came(self) -> None:
        """Nobody will ask for what is read again, or for the formats that were read."""
        self._came = NO_HEADERS

    @property
    def ids(self) -> tuple[bytes, bytes, bytes]:
        """Trace id, span id and "0" or "1", as they came."""
        ids = self.plain[0]
        return (ids[0], self._came_span, ids[2]) if self._came_span else ids

    @property
    def has_beside(self) -> bool:
        """Whether there is anything `foreign` or `withheld`. Few have."""
        return self._beside is not None

    @property
    def foreign(self) -> Foreign:
        """Headers of other families, and what became of them."""
        return self._beside[0] if self._beside is not None else ()

    @foreign.setter
    def foreign(self, foreign: Foreign) -> None:
        self._beside = foreign, self.withheld

    @property
    def withheld(self) -> tuple[Cargo, ...]:
        """What would have gone out, and may not."""
        return self._beside[1] if self._beside is not None else NOTHING_WITHHELD

    @property
    def injected(self) -> tuple[Format, ...]:
        """The formats that went out."""
        return self._translator.injected

    @property
    def losses(self) -> tuple[tuple[Format, Loss], ...]:
        """What they could not say."""
        return self._translator.losses_of_traits[self.plain[4]]

    @property
    def winner(self) -> Format:
        """The format that was believed."""
        return self.plain[3]

    @property
    def extraction(self) -> Extraction | None:
        """What the request said; reads it again, in full."""
        return self._translator.extract(self._came)

    @property
    def context(self) -> TraceContext | None:
        """What went out; reads the request again, in full."""
        came = self.extraction
        if came is None or came.context is None:
            return None
        return child(came.context, self.plain[0][1].decode("ascii")) if self._came_span else came.context

    @property
    def read(self) -> str:
        """The formats that were read, joined by commas."""
        return self._read or self._translator.formats_of(tuple([name for name, _ in self._came]))

    @property
    def link(self) -> TraceContext | None:
        """Never one: peers that are only partly believed take the full path."""
        return None

    @property
    def refused(self) -> tuple[str, ...]:
        """Nothing: as `link`."""
        return ()

    @property
    def carried(self) -> tuple[str, ...]:
        """Never anything: a call that may have lost something goes the full way."""
        return ()


Translation = FullTranslation | FastTranslation

_PADDING: Final = b"0" * 16


NOTHING = FullTranslation([], None, (), (), None)
"""The translation of a request without any of our headers: writes none."""


def given_to_app(translation: object) -> Extraction:
    """All that the app was told by what went out as `translation`."""
    if isinstance(translation, FastTranslation):
        return given(translation.plain)
    if not isinstance(translation, FullTranslation):
        return Extraction()
    came = translation.extraction or Extraction()
    return Extraction(translation.context, session=came.session, baggage=came.baggage)


def ids_given(translation: Translation) -> tuple[bytes, bytes]:
    """The trace id and span id that the app was told, in 32 and 16 digits; empty if it was told none."""
    if isinstance(translation, FastTranslation):
        trace_id, span_id, _ = translation.plain[0]
        return trace_id if len(trace_id) == 32 else _PADDING + trace_id, span_id
    context = translation.context
    return (context.trace_id.encode("ascii"), context.span_id.encode("ascii")) if context is not None else (b"", b"")
