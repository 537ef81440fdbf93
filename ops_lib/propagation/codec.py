"""A Codec: all that the rest of the code knows of a wire format.

Each format's own module ends with its Codec, and `registry` lists them all.
Everything else derives from it: the fast path, what is cleared, which format wins, `translate --explain`, names in
settings and messages, what the library writes.
May know the record and the names.
Must not know any one format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from .context import Fields, Headers, Losses, Policy, Reading, Sampling, TraceContext
from .formats import Format, Loss

Extract = Callable[[Fields], Reading]
Inject = Callable[[TraceContext, Policy, Headers, Losses], None]
InjectDecision = Callable[[Sampling, Headers], None]


class PlainForm(NamedTuple):
    """How a format says the plainest of contexts, for the fast path: complete ids, and sampled yes or no.

    `reads`: the headers that it takes (in lower case) and the pattern of their values.
    The first entry whose headers are all there counts.
    Several values are matched as one text, joined by line feeds, which header values cannot contain.
    A pattern is a regular expression with these parts, in this order:

    - `<trace_id>` (16 or 32 digits) or `<trace_id_128>`
    - `<span_id>`
    - `<sampled>` (0 or 1) or `<flags>` (bit 0 sampled, bit 1 random)
    - `<parent_id>`, if the format has it

    Digits are lower case, and an id is never all zero.
    `extract` must read everything that a pattern matches as its parts say.
    A format that splits its ids, or writes them in decimal, has no plain form.
    `state`: the header that holds the tracestate, if the format has one.
    """

    reads: tuple[tuple[tuple[str, ...], str], ...]
    state: str = ""


class Codec(NamedTuple):
    """One wire format. Make it with keywords.

    `extract` is only called if one of the headers is present.
    It returns what they say, or a reason, and never raises.
    `inject` appends the headers for any context, and names what it cannot say.
    `extract` reads everything that `inject` writes.
    """

    format: Format
    writes: tuple[str, ...]
    """Every header that it may write, in the spelling for HTTP/1.1 upstreams."""
    extract: Extract
    inject: Inject
    only_reads: tuple[str, ...] = ()
    """Further headers that it reads."""
    inject_decision: InjectDecision | None = None
    """Writes a decision without ids. None: the format cannot do that, and ids are made up."""
    cannot_say: frozenset[Loss] = frozenset()
    """What its headers cannot say. If it wins, other formats of the same trace may add that."""
    keeps: frozenset[Loss] = frozenset()
    """The part of `cannot_say` that it carries in our tracestate member, for the way back."""
    plain: PlainForm | None = None
    """None: no fast path for this format. Everything else works the same."""
    family: str = ""
    """Encodings of one family are read together: if one is requested, the other is read right after it."""
    baggage: Literal["w3c", "jaeger"] | None = None
    """The kind of baggage that belongs to it. None: it has none, and uses W3C's."""
    by_default: bool = True
    """Whether it is read by default, is part of `composite`, and is cleared even if not chosen.
    Other formats pass unchanged, like `families` that are not translated, unless the settings name them.
    """

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header that is its own, in its usual spelling."""
        return self.writes + self.only_reads

    @property
    def names(self) -> frozenset[str]:
        """The same in lower case."""
        return frozenset(name.lower() for name in self.headers)
