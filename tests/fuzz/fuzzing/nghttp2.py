"""libnghttp2's HPACK decoder and its server, through ctypes, as a second opinion. Debian's package is libnghttp2-14."""

from __future__ import annotations

import ctypes
import ctypes.util

_FINAL = 0x01
_EMIT = 0x02
_NO_INDEX = 0x01


class _Field(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("name_size", ctypes.c_size_t),
        ("value_size", ctypes.c_size_t),
        ("flags", ctypes.c_uint8),
    ]


def _load() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("nghttp2") or "libnghttp2.so.14"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return None
    library.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
    library.nghttp2_hd_inflate_hd2.argtypes = (
        ctypes.c_void_p,
        ctypes.POINTER(_Field),
        ctypes.POINTER(ctypes.c_int),
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
    )
    library.nghttp2_hd_inflate_change_table_size.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    library.nghttp2_hd_inflate_end_headers.argtypes = (ctypes.c_void_p,)
    library.nghttp2_hd_inflate_del.argtypes = (ctypes.c_void_p,)
    library.nghttp2_hd_inflate_get_dynamic_table_size.restype = ctypes.c_size_t
    library.nghttp2_hd_inflate_get_dynamic_table_size.argtypes = (ctypes.c_void_p,)
    for name in ("nghttp2_session_mem_recv", "nghttp2_session_mem_send"):
        getattr(library, name).restype = ctypes.c_ssize_t
    library.nghttp2_session_mem_recv.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    library.nghttp2_session_mem_send.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    library.nghttp2_session_del.argtypes = (ctypes.c_void_p,)
    library.nghttp2_session_server_new.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    library.nghttp2_submit_settings.argtypes = (ctypes.c_void_p, ctypes.c_uint8, ctypes.c_void_p, ctypes.c_size_t)
    library.nghttp2_session_callbacks_del.argtypes = (ctypes.c_void_p,)
    for name in ("on_frame_recv", "on_begin_headers", "on_header", "on_data_chunk_recv"):
        setter = getattr(library, f"nghttp2_session_callbacks_set_{name}_callback")
        setter.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        setter.restype = None
    return library


LIBRARY = _load()


class Inflater:
    """A decoder. Close it."""

    def __init__(self) -> None:
        assert LIBRARY is not None
        self._library = LIBRARY
        self._inflater = ctypes.c_void_p()
        assert LIBRARY.nghttp2_hd_inflate_new(ctypes.byref(self._inflater)) == 0

    def allow(self, table_bytes: int) -> None:
        """As `Decoder.allow`."""
        assert self._library.nghttp2_hd_inflate_change_table_size(self._inflater, table_bytes) == 0

    @property
    def size(self) -> int:
        """Of the table."""
        return int(self._library.nghttp2_hd_inflate_get_dynamic_table_size(self._inflater))

    def decode(self, block: bytes) -> list[tuple[bytes, bytes, bool]] | None:
        """Name, value, and whether it must never be indexed; None if the block is refused."""
        inflate, inflater = self._library.nghttp2_hd_inflate_hd2, self._inflater
        field, flags = _Field(), ctypes.c_int()
        pair, flag = ctypes.byref(field), ctypes.byref(flags)
        data = ctypes.create_string_buffer(block, len(block) or 1)
        at, left = ctypes.addressof(data), len(block)
        fields = []
        while True:
            flags.value = 0
            used = inflate(inflater, pair, flag, at, left, 1)
            if used < 0:
                return None
            at, left = at + used, left - used
            if flags.value & _EMIT:
                name = ctypes.string_at(field.name, field.name_size)
                fields.append((name, ctypes.string_at(field.value, field.value_size), bool(field.flags & _NO_INDEX)))
            if flags.value & _FINAL:
                self._library.nghttp2_hd_inflate_end_headers(inflater)
                return fields
            if not left and not flags.value & _EMIT:
                return fields

    def close(self) -> None:
        """Free it."""
        self._library.nghttp2_hd_inflate_del(self._inflater)


class Session:
    """A server's session, which answers no request. `feed` it; then look at what it has heard and what it sends."""

    def __init__(self, settings: list[tuple[int, int]]) -> None:
        assert LIBRARY is not None
        library = self._library = LIBRARY
        self.requests: dict[int, list[tuple[bytes, bytes]]] = {}
        self.content: dict[int, bytes] = {}
        self.trailers: dict[int, list[tuple[bytes, bytes]]] = {}
        self.ended: set[int] = set()
        self._fields: list[tuple[bytes, bytes]] = []
        callbacks = ctypes.c_void_p()
        assert library.nghttp2_session_callbacks_new(ctypes.byref(callbacks)) == 0
        # The callbacks must live as long as the session does.
        self._kept = (_ON_FRAME(self._on_frame), _ON_BEGIN(self._on_begin), _ON_HEADER(self._on_header))
        self._chunk = _ON_CHUNK(self._on_chunk)
        library.nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, self._kept[0])
        library.nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, self._kept[1])
        library.nghttp2_session_callbacks_set_on_header_callback(callbacks, self._kept[2])
        library.nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, self._chunk)
        self._session = ctypes.c_void_p()
        assert library.nghttp2_session_server_new(ctypes.byref(self._session), callbacks, None) == 0
        library.nghttp2_session_callbacks_del(callbacks)
        pairs = (_Setting * len(settings))(*settings)
        assert library.nghttp2_submit_settings(self._session, 0, pairs, len(settings)) == 0

    def feed(self, data: bytes) -> bytes:
        """Bytes from the client; those that go out."""
        self._library.nghttp2_session_mem_recv(self._session, data, len(data))
        out = b""
        while True:
            pointer = ctypes.c_void_p()
            size = self._library.nghttp2_session_mem_send(self._session, ctypes.byref(pointer))
            if size <= 0:
                return out
            out += ctypes.string_at(pointer.value or 0, size)

    def close(self) -> None:
        """Free it."""
        self._library.nghttp2_session_del(self._session)

    def _on_frame(self, _session: int, frame: int, _user: int) -> int:
        head = _FrameHead.from_address(frame)
        if head.kind in (0, 1):
            if head.kind == 1:
                known = self.trailers if head.id in self.requests else self.requests
                known[head.id] = self._fields
            if head.flags & 1:
                self.ended.add(head.id)
        return 0

    def _on_begin(self, _session: int, _frame: int, _user: int) -> int:
        self._fields = []
        return 0

    def _on_header(
        self,
        _session: int,
        _frame: int,
        name: int,
        name_size: int,
        value: int,
        value_size: int,
        _flags: int,
        _user: int,
    ) -> int:
        self._fields.append((ctypes.string_at(name, name_size), ctypes.string_at(value, value_size)))
        return 0

    def _on_chunk(self, _session: int, _flags: int, id: int, data: int, size: int, _user: int) -> int:
        self.content[id] = self.content.get(id, b"") + ctypes.string_at(data, size)
        return 0


class _Setting(ctypes.Structure):
    _fields_ = [("number", ctypes.c_int32), ("value", ctypes.c_uint32)]


class _FrameHead(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("id", ctypes.c_int32),
        ("kind", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8),
    ]


_P, _N = ctypes.c_void_p, ctypes.c_size_t
_ON_FRAME = ctypes.CFUNCTYPE(ctypes.c_int, _P, _P, _P)
_ON_BEGIN = ctypes.CFUNCTYPE(ctypes.c_int, _P, _P, _P)
_ON_HEADER = ctypes.CFUNCTYPE(ctypes.c_int, _P, _P, _P, _N, _P, _N, ctypes.c_uint8, _P)
_ON_CHUNK = ctypes.CFUNCTYPE(ctypes.c_int, _P, ctypes.c_uint8, ctypes.c_int32, _P, _N, _P)
