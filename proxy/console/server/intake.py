"""OTLP over HTTP: POST /v1/traces, /v1/metrics and /v1/logs, in protobuf or JSON, plain or gzip (`grpc`: over gRPC).

Every body is bounded, before and after it is unpacked, and so is what waits. What is refused is counted, by reason.
Bodies are read in a thread of their own, so that the page stays quick.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from proxy.console.intake.decode import READERS, OtlpError, parse
from proxy.console.intake.otlp_json import read_json
from proxy.console.intake.records import Batch
from proxy.telemetry.otlp.protobuf import integer, message

log = logging.getLogger(__name__)

MOST_BODY_BYTES: Final = 32 * 1024 * 1024  # as sent
MOST_UNPACKED_BYTES: Final = 64 * 1024 * 1024
_MOST_HELD_BYTES: Final = 128 * 1024 * 1024  # of all bodies that are being read
_MOST_REMEMBERED: Final = 512  # bodies, by digest
_REMEMBERED_S: Final = 600.0
_READ_S: Final = 60.0  # for a body to come
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
GRPC_CODES: Final = {400: 3, 401: 16, 403: 7, 408: 4, 413: 8, 415: 3, 503: 14}


class RefusalError(Exception):
    """The request is refused: status, label of the counter, and what to do, for whoever reads the sender's log."""

    def __init__(self, status: int, label: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.label = label
        self.detail = detail


@dataclass(slots=True)
class IntakeCounts:
    """What came, by signal, and what was refused, by reason."""

    requests: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    unkept: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    repeated: int = 0


def count(table: dict[str, int], key: str, number: int = 1) -> None:
    """Add to one of the tables."""
    if number:
        table[key] = table.get(key, 0) + number


class Intake:
    """See the module."""

    def __init__(
        self,
        add: Callable[[Batch], bool],
        *,
        forward: Callable[[str, bytes, Mapping[str, str]], None] | None = None,
        token: str = "",
        cors_origins: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`add`: gives a batch to the store; False if it is full.

        `forward`: is given what came, by signal, body as sent and the headers that describe it.
        """
        self.counts = IntakeCounts()
        self._add = add
        self._forward = forward
        self._token = token.encode()
        self._origins = cors_origins
        self._clock = clock
        self._held = 0
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="console-intake")

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        for signal in READERS:
            app.router.add_route("*", f"/v1/{signal}", self._handler(signal))
        app.router.add_route("*", "/{other:.*}", self._other)
        return app

    def close(self) -> None:
        """End the thread."""
        self._reader.shutdown(wait=True, cancel_futures=True)

    def _handler(self, signal: str) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            is_json = request.content_type == JSON
            try:
                cors = self._cors(request)
                if request.method == "OPTIONS":
                    return web.Response(status=204, headers=cors)
                return await self._receive(signal, request, is_json, cors)
            except RefusalError as error:
                count(self.counts.refused, error.label)
                return _refusal(error, is_json)

        return handle

    async def _other(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/" and request.method == "GET":
            return web.Response(
                text="ops-sidecar console: OTLP is received at /v1/traces, /v1/metrics, /v1/logs, and over gRPC\n"
            )
        detail = "this is OTLP over HTTP: POST to /v1/traces, /v1/metrics or /v1/logs"
        if request.content_type.startswith("application/grpc"):
            detail = _GRPC_ADVICE
        error = RefusalError(404, "path", detail)
        count(self.counts.refused, error.label)
        return _refusal(error, request.content_type == JSON)

    async def _receive(
        self, signal: str, request: web.Request, is_json: bool, cors: Mapping[str, str]
    ) -> web.StreamResponse:
        if request.method != "POST":
            raise RefusalError(405, "method", "OTLP is sent with POST")
        self.check_token(request.headers.get("Authorization", ""))
        if not is_json and request.content_type != PROTOBUF:
            advice = _GRPC_ADVICE if request.content_type.startswith("application/grpc") else ""
            raise RefusalError(415, "content-type", advice or f"content type {request.content_type[:60]!r}: "
                               f"expected {PROTOBUF} or {JSON}")  # fmt: skip
        coding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("gzip", "identity", ""):
            raise RefusalError(415, "content-encoding", f"content encoding {coding[:20]!r}: expected gzip or none")
        body = await self._body(request)
        try:
            batch = await self.take(signal, body, is_packed=coding == "gzip", is_json=is_json)
        finally:
            self.release(len(body))
        return _accepted(signal, batch, is_json, cors)

    # --- what both ways of OTLP ask

    def check_token(self, authorization: str) -> None:
        """Raises RefusalError if a token is asked for, and this is not it."""
        if not self._token:
            return
        kind, _, said = authorization.partition(" ")
        is_known = hmac.compare_digest(said.strip().encode("utf-8", "replace"), self._token)
        if kind.lower() != "bearer" or not is_known:
            raise RefusalError(401, "token", "the token is missing or wrong; set "
                               'OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer <console.otlp_token>"')  # fmt: skip

    def hold(self, size: int) -> None:
        """Bytes of a body have come, and are held until `release`. Raises RefusalError if all hold too many."""
        if self._held + size > _MOST_HELD_BYTES:
            raise RefusalError(503, "busy", "too many bodies at once; retry")
        self._held += size

    def release(self, size: int) -> None:
        """Bytes are no longer held."""
        self._held -= size

    async def take(self, signal: str, body: bytes, *, is_packed: bool, is_json: bool) -> Batch | None:
        """Give a body to the store, and pass it on; None: the same came before. Raises RefusalError."""
        batch = await self._read(signal, body, is_packed, is_json)
        if self._forward is not None and not (batch is not None and batch.has_reports):
            self._forward(signal, body, {
                "Content-Type": JSON if is_json else PROTOBUF,
                **({"Content-Encoding": "gzip"} if is_packed else {}),
            })  # fmt: skip
        return batch

    # --- the rest of HTTP

    async def _body(self, request: web.Request) -> bytes:
        """The body as sent; its size is added to what is held."""
        announced = request.content_length or 0
        too_long = RefusalError(
            413, "body-too-large",
            f"the body is longer than {MOST_BODY_BYTES:,} bytes; set a smaller batch (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)",
        )  # fmt: skip
        if announced > MOST_BODY_BYTES:
            raise too_long
        if self._held + announced > _MOST_HELD_BYTES:
            raise RefusalError(503, "busy", "too many bodies at once; retry")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_READ_S):
                async for part in request.content.iter_any():
                    self.hold(len(part))
                    size += len(part)
                    parts.append(part)
                    if size > MOST_BODY_BYTES:
                        raise too_long
        except BaseException as error:
            self.release(size)
            if isinstance(error, TimeoutError):
                raise RefusalError(408, "slow", f"the body did not come within {_READ_S:.0f} seconds") from None
            raise
        return b"".join(parts)

    async def _read(self, signal: str, body: bytes, is_packed: bool, is_json: bool) -> Batch | None:
        """The batch, given to the store; None: the same body came before."""
        digest = hashlib.blake2b(body, digest_size=16, key=signal.encode()).digest()
        now = self._clock()
        if now - self._seen.get(digest, -_REMEMBERED_S) < _REMEMBERED_S:
            self.counts.repeated += 1
            return None
        loop = asyncio.get_running_loop()
        try:
            batch = await loop.run_in_executor(self._reader, read_body, signal, body, is_packed, is_json)
        except OtlpError as error:
            raise RefusalError(400, "malformed", str(error)) from None
        if not self._add(batch):
            raise RefusalError(503, "store-full", "the console writes more slowly than this comes; retry")
        self._seen[digest] = now
        while len(self._seen) > _MOST_REMEMBERED:
            self._seen.popitem(last=False)
        count(self.counts.requests, signal)
        count(self.counts.records, signal, batch.accepted)
        count(self.counts.rejected, signal, batch.rejected)
        count(self.counts.unkept, signal, batch.unkept)
        return batch

    def _cors(self, request: web.Request) -> dict[str, str]:
        """What a browser needs to read the answer. A page that is not allowed is refused."""
        origin = request.headers.get("Origin")
        if origin is None:
            return {}
        if "*" not in self._origins and origin not in self._origins:
            raise RefusalError(
                403, "origin", "pages of this origin may not send; the setting console.cors_origins allows it"
            )
        return {
            "Access-Control-Allow-Origin": origin,
            "Vary": "Origin",
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "content-type, content-encoding, authorization",
            "Access-Control-Max-Age": "600",
        }


_GRPC_ADVICE: Final = "OTLP over gRPC is received here too, but in HTTP/2 with prior knowledge, not in HTTP/1.1"


def read_body(signal: str, body: bytes, is_packed: bool, is_json: bool) -> Batch:
    """The records of a body. Raises OtlpError or RefusalError."""
    if is_packed:
        body = _unpack(body)
    kind, read = READERS[signal]
    return read(read_json(kind, body) if is_json else parse(kind, body))


def _unpack(body: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacking.decompress(body, MOST_UNPACKED_BYTES)
    except zlib.error:
        raise RefusalError(400, "gzip", "the body is not gzip, though Content-Encoding says so") from None
    if unpacking.unconsumed_tail:
        raise RefusalError(413, "unpacked-too-large", f"the body unpacks to more than {MOST_UNPACKED_BYTES:,} bytes")
    if not unpacking.eof:
        raise RefusalError(400, "gzip", "the gzip body ends too early")
    return unpacked


def _accepted(signal: str, batch: Batch | None, is_json: bool, cors: Mapping[str, str]) -> web.Response:
    """200, and what was not taken, in words."""
    if is_json:
        said = {}
        if batch is not None and batch.rejected:
            name = {"traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints"}[signal]
            said["partialSuccess"] = {name: str(batch.rejected), "errorMessage": batch.reason}
        return web.Response(body=json.dumps(said).encode(), content_type=JSON, headers=cors)
    return web.Response(body=partial_success(batch), content_type=PROTOBUF, headers=cors)


def partial_success(batch: Batch | None) -> bytes:
    """The answer in protobuf, which is the same for all three signals: how many records were not taken, and why."""
    if batch is None or not batch.rejected:
        return b""
    return message(1, integer(1, batch.rejected) + message(2, batch.reason.encode()))


_WITH_STATUS: Final[dict[int, dict[str, str]]] = {
    401: {"WWW-Authenticate": "Bearer"},
    405: {"Allow": "POST, OPTIONS"},
    413: {"Connection": "close"},  # the rest of the body is not read
    503: {"Retry-After": "1"},
}


def _refusal(error: RefusalError, is_json: bool) -> web.Response:
    """A google.rpc.Status, as OTLP has it, in the language of the request."""
    code = GRPC_CODES.get(error.status, 3)
    headers = _WITH_STATUS.get(error.status, {})
    if is_json:
        body = json.dumps({"code": code, "message": error.detail}).encode()
        return web.Response(body=body, status=error.status, content_type=JSON, headers=headers)
    body = integer(1, code) + message(2, error.detail.encode())
    return web.Response(body=body, status=error.status, content_type=PROTOBUF, headers=headers)
