"""The names of wire formats, and of what a format cannot say. Must not know their grammar.

`registry` lists the formats.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Format(str):
    """A wire format's name, as in the settings, in logs and in metrics: text with a type of its own.

    Not an enum: a format has its row in `registry`, and needs no second one here.
    The four that other code and tests name are attributes.
    """

    __slots__ = ()

    TRACECONTEXT: ClassVar[Format]
    B3: ClassVar[Format]
    B3MULTI: ClassVar[Format]
    JAEGER: ClassVar[Format]


Format.TRACECONTEXT = Format("tracecontext")
Format.B3 = Format("b3")
Format.B3MULTI = Format("b3multi")
Format.JAEGER = Format("jaeger")


class Loss(enum.StrEnum):
    """What a format could not say. A closed set, so it can be a metric label."""

    DEFER = "defer"  # "no decision" had to become `on_defer`
    DEBUG = "debug"  # DEBUG became ACCEPT
    WIDTH = "width"  # a 64-bit trace id became a padded one
    PARENT = "parent"  # the parent span id
    TRACESTATE = "tracestate"  # the other vendors' members
    TRACESTATE_CUT = "tracestate-cut"  # some of them, cut for length
    RANDOM = "random"  # the random-trace-id flag
    BARE = "bare"  # a bare accept or debug got made-up ids: the parent is a span that nobody reports
    BAGGAGE_CUT = "baggage-cut"  # members of baggage: too long, too many, or two with the same header name
