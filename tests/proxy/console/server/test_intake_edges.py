"""OTLP over HTTP at its bounds: how much, how long, how often; and the counters and words at each."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from lab.consoles import Console, Start, sent, span

from proxy.console.intake.records import Batch
from proxy.console.server import intake as module
from proxy.console.server.intake import Intake, RefusalError, count, read_body
from proxy.console.store.writer import Writer

BODY = sent(span(1)).SerializeToString()
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
LATE = {"traceId": f"{1:032x}", "spanId": f"{1:016x}", "timeUnixNano": str(1 << 62)}
BUSY = {"code": 14, "message": "too many bodies at once; retry"}


class Told:
    """An intake with a clock, and what it gave away."""

    def __init__(self, **more: Any) -> None:
        self.batches: list[Batch] = []
        self.forwarded: list[tuple[str, bytes, dict[str, str]]] = []
        self.now = 1000.0
        self.is_full = False
        self.intake = Intake(self._add, forward=self._forward, clock=lambda: self.now, **more)

    def _add(self, batch: Batch) -> bool:
        if not self.is_full:
            self.batches.append(batch)
        return not self.is_full

    def _forward(self, signal: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.forwarded.append((signal, body, dict(headers)))

    async def take(
        self, body: bytes = BODY, *, signal: str = "traces", packed: bool = False, json: bool = False
    ) -> Any:
        return await self.intake.take(signal, body, is_packed=packed, is_json=json)


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    yield made
    made.intake.close()


def body(number: int) -> bytes:
    return sent(span(number)).SerializeToString()


async def post(console: Console, data: Any, **headers: str) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    sending = console.client.post(f"{console.otlp}/v1/traces", data=data, headers=JSON | headers)
    async with sending as response:
        return response.status, json.loads(await response.read() or b"null"), response.headers


async def refused(console: Console) -> dict[str, int]:
    said: dict[str, int] = (await console.get("/health"))["console"]["refused"]
    return said


def test_counters_count_from_nothing() -> None:
    table: dict[str, int] = {}
    count(table, "a", 0)
    assert table == {}
    count(table, "a")
    count(table, "a", 2)
    assert table == {"a": 3}
    assert Told().intake.counts == module.IntakeCounts({}, {}, {}, {}, {}, 0)


@pytest.mark.parametrize(("later_s", "repeated"), [(0.0, 1), (599.9, 1), (600.0, 0)])
async def test_a_body_is_remembered_for_ten_minutes(told: Told, later_s: float, repeated: int) -> None:
    assert (await told.take()).accepted == 1
    told.now += later_s
    assert (await told.take() is None) is bool(repeated)
    assert told.intake.counts.repeated == repeated
    assert told.intake.counts.requests == {"traces": 2 - repeated}
    assert len(told.forwarded) == 2  # whoever it is passed on to has a memory of its own


async def test_512_bodies_are_remembered_the_last_ones(told: Told) -> None:
    for number in range(1, 514):
        await told.take(body(number))
    assert told.intake.counts.repeated == 0
    assert await told.take(body(2)) is None
    assert await told.take(body(1)) is not None


async def test_the_same_bytes_of_another_signal_are_another_body(told: Told) -> None:
    for signal in ("traces", "logs", "metrics"):
        assert await told.take(b"", signal=signal) is not None
    assert told.intake.counts.requests == {"traces": 1, "logs": 1, "metrics": 1}
    assert told.intake.counts.repeated == 0


async def test_what_is_counted_of_a_body(told: Told) -> None:
    bad = span(2)
    bad.trace_id = b"short"
    await told.take(sent(span(1), span(3), bad).SerializeToString())
    counts = told.intake.counts
    assert (counts.records, counts.rejected, counts.unkept) == ({"traces": 2}, {"traces": 1}, {})
    alone = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "of no trace"}}]}]}]}
    await told.take(json.dumps(alone).encode(), signal="logs", json=True)
    assert counts.unkept == {"logs": 1}


async def test_what_was_not_taken_is_not_remembered(told: Told) -> None:
    told.is_full = True
    with pytest.raises(RefusalError, match=r"^the console writes more slowly than this comes; retry$") as caught:
        await told.take()
    assert (caught.value.status, caught.value.label) == (503, "store-full")
    assert (told.forwarded, told.intake.counts.requests) == ([], {})
    told.is_full = False
    assert await told.take() is not None


@pytest.mark.parametrize(
    ("packed", "is_json", "headers"),
    [
        (False, False, {"Content-Type": "application/x-protobuf"}),
        (True, False, {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}),
        (False, True, {"Content-Type": "application/json"}),
        (True, True, {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
    ],
)
async def test_what_came_is_passed_on_as_it_came(
    told: Told, packed: bool, is_json: bool, headers: dict[str, str]
) -> None:
    plain = b"{}" if is_json else BODY
    came = gzip.compress(plain) if packed else plain
    await told.take(came, packed=packed, json=is_json)
    assert told.forwarded == [("traces", came, headers)]


async def test_held_bytes_are_bounded_and_free_again(told: Told) -> None:
    most = 128 * 1024 * 1024
    told.intake.hold(most)
    with pytest.raises(RefusalError, match=r"^too many bodies at once; retry$") as caught:
        told.intake.hold(1)
    assert (caught.value.status, caught.value.label, caught.value.detail) == (503, "busy", str(caught.value))
    told.intake.release(1)
    told.intake.hold(1)


@pytest.mark.parametrize(
    ("authorization", "is_known"),
    [
        ("Bearer let-me-in", True),
        ("bearer  let-me-in ", True),
        ("Bearer let-me-in!", False),
        ("Basic let-me-in", False),
        ("let-me-in", False),
        ("Bearer \udc80", False),
        ("", False),
    ],
)
def test_a_token(authorization: str, is_known: bool) -> None:
    told = Told(token="let-me-in")
    with contextlib.nullcontext() if is_known else pytest.raises(RefusalError, match="is missing or wrong") as caught:
        told.intake.check_token(authorization)
    assert caught is None or (caught.value.status, caught.value.label) == (401, "token")
    Told().intake.check_token(authorization)


def test_a_body_unpacks_to_64_mib() -> None:
    """Less one byte, plus one byte; and what is no gzip."""
    most = 64 * 1024 * 1024
    with pytest.raises(RefusalError, match="unpacks to more than 67,108,864 bytes") as caught:
        read_body("traces", gzip.compress(bytes(most + 1), 1), True, False)
    assert (caught.value.status, caught.value.label) == (413, "unpacked-too-large")
    for wrong, says in ((b"no", "is not gzip, though"), (gzip.compress(BODY)[:-1], "ends too early")):
        with pytest.raises(RefusalError, match=says) as caught:
            read_body("traces", wrong, True, False)
        assert (caught.value.status, caught.value.label) == (400, "gzip")
    assert len(read_body("traces", gzip.compress(BODY), True, False).spans) == 1


@pytest.mark.parametrize(("size", "status"), [(100, 400), (101, 413)])
@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_body_has_a_largest_size(
    console: Console, monkeypatch: pytest.MonkeyPatch, size: int, status: int, is_announced: bool
) -> None:
    """Whether it says how long it is or comes in chunks. 400: it is not JSON."""
    monkeypatch.setattr(module, "MOST_BODY_BYTES", 100)

    async def pieces() -> Any:
        yield b"x" * 60
        yield b"x" * (size - 60)

    answered, said, headers = await post(console, b"x" * size if is_announced else pieces())
    assert answered == status
    if status == 413:
        assert said == {
            "code": 8,
            "message": "the body is longer than 100 bytes; set a smaller batch (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)",
        }
        assert headers["Connection"] == "close"
    assert await refused(console) == {"malformed" if status == 400 else "body-too-large": 1}
    assert (await post(console, b"{}"))[0] == 200


@pytest.mark.parametrize("is_announced", [True, False])
async def test_bodies_that_are_held_leave_no_room_and_are_released(
    console: Console, monkeypatch: pytest.MonkeyPatch, is_announced: bool
) -> None:
    monkeypatch.setattr(module, "_MOST_HELD_BYTES", 100)

    async def pieces() -> Any:
        yield b" " * 60
        yield b" " * 41

    for _ in range(3):
        assert (await post(console, b"x" * 100))[0] == 400
        status, said, headers = await post(console, b" " * 101 if is_announced else pieces())
        assert (status, said, headers["Retry-After"]) == (503, BUSY, "1")
    assert await refused(console) == {"malformed": 3, "busy": 3}


async def test_a_body_that_does_not_come(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_READ_S", 0.0)
    monkeypatch.setattr(module, "_MOST_HELD_BYTES", 10)
    host, _, port = console.otlp.removeprefix("http://").partition(":")
    for _ in range(2):  # what came of the first is free again
        reader, writer = await asyncio.open_connection(host, int(port))
        head = (
            f"POST /v1/traces HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        )
        writer.write(head.encode() + b"{......")
        said = await asyncio.wait_for(reader.readuntil(b"}"), 10)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b'{"code": 4, "message": "the body did not come within 0 seconds"}' in said
        writer.close()
    assert await refused(console) == {"slow": 2}


async def test_a_store_that_is_full_says_when_to_retry(start_console: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Writer, "add", lambda *_, **__: False)
    console = await start_console()
    status, said, headers = await post(console, b"{}")
    assert (status, headers["Retry-After"]) == (503, "1")
    assert said == {"code": 14, "message": "the console writes more slowly than this comes; retry"}
    assert await refused(console) == {"store-full": 1}


@pytest.mark.parametrize(
    ("signal", "name", "record"),
    [
        ("traces", "rejectedSpans", {"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": "00"}]}]}]}),
        ("logs", "rejectedLogRecords", {"resourceLogs": [{"scopeLogs": [{"logRecords": [LATE]}]}]}),
    ],
)
async def test_a_rejected_record_is_told_by_its_signal(
    console: Console, signal: str, name: str, record: dict[str, Any]
) -> None:
    data = json.dumps(record)
    async with console.client.post(f"{console.otlp}/v1/{signal}", data=data, headers=JSON) as response:
        said = json.loads(await response.read())
    assert said.get("partialSuccess", {}).get(name) == "1"


async def test_what_is_not_otlp_is_counted_by_what_is_wrong(start_console: Start) -> None:
    console = await start_console(otlp_token="let-me-in", cors_origins=("https://shop.example",))
    known = {"Authorization": "Bearer let-me-in", "Content-Type": "application/json"}
    for method, path, headers in (
        ("GET", "/", {}),  # says what it is
        ("HEAD", "/", {}), ("POST", "/", {}), ("GET", "/v2/traces", {}),
        ("GET", "/v1/traces", {}),
        ("POST", "/v1/traces", {}),
        ("POST", "/v1/traces", known | {"Content-Type": "text/plain"}),
        ("POST", "/v1/traces", known | {"Content-Encoding": "zstd"}),
        ("POST", "/v1/traces", known | {"Origin": "https://evil.example"}),
    ):  # fmt: skip
        async with console.client.request(method, console.otlp + path, headers=headers) as response:
            assert response.status == 200 or response.status >= 400
    counted = {"path": 3, "method": 1, "token": 1, "content-type": 1, "content-encoding": 1, "origin": 1}
    assert await refused(console) == counted
