"""What we announce to a peer, and what a peer has announced to us (RFC 9113, 6.5). PURE."""

from __future__ import annotations

from typing import Final, NamedTuple, final

from proxy.http2.engine.codes import DEFAULT_WINDOW, LEAST_MAX_FRAME

_MIB: Final = 1024 * 1024


class Limits(NamedTuple):
    """What we accept of a peer, on one connection."""

    max_streams: int = 100  # open at once
    header_list_bytes: int = 65536  # by the count of 6.5.2
    table_bytes: int = 4096  # of either HPACK table
    stream_window: int = DEFAULT_WINDOW  # at the beginning; at least what the protocol starts with
    most_stream_window: int = 256 * 1024  # of a stream whose content is taken as fast as it comes
    connection_window: int = _MIB
    max_held_bytes: int = 16 * _MIB  # of content that the receivers of all streams do not take
    extended_connect: bool = False  # RFC 8441


@final
class PeerSettings:
    """The other end's. Until its SETTINGS come, those that the protocol starts with."""

    __slots__ = (
        "extended_connect",
        "header_list_bytes",
        "initial_window",
        "is_known",
        "max_frame",
        "max_streams",
        "table_bytes",
    )

    def __init__(self) -> None:
        self.is_known = False
        self.max_streams = -1  # -1: any number
        self.initial_window = DEFAULT_WINDOW
        self.max_frame = LEAST_MAX_FRAME
        self.header_list_bytes = -1  # -1: not told
        self.table_bytes = 4096
        self.extended_connect = False
