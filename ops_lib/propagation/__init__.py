"""The heart: sans-io codecs for the wire formats of trace context and session. Standard library only."""

import enum


class Format(enum.StrEnum):
    """A wire format, named as in the settings."""

    TRACECONTEXT = "tracecontext"
    B3 = "b3"
    B3MULTI = "b3multi"
    JAEGER = "jaeger"


class Sampling(enum.IntEnum):
    """The sampling decision of the record."""

    DEFER = 0
    DENY = 1
    ACCEPT = 2
    DEBUG = 3
