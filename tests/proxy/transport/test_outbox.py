"""Messages of one turn leave together, in order, and never overtake what is written directly."""

from __future__ import annotations

import asyncio
from typing import cast

from proxy.transport.outbox import Outbox


class Transport:
    """Records; may be closing."""

    def __init__(self, log: list[bytes]) -> None:
        self.log = log
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.log.append(data)


def outbox_and_transports(count: int = 1) -> tuple[Outbox, list[asyncio.Transport], list[bytes]]:
    log: list[bytes] = []
    transports = [cast(asyncio.Transport, Transport(log)) for _ in range(count)]
    return Outbox(asyncio.get_running_loop()), transports, log


async def test_messages_leave_when_the_turn_ends() -> None:
    outbox, (near, far), log = outbox_and_transports(2)
    outbox.send(near, b"1")
    outbox.send(far, b"2")
    outbox.send(near, b"3")
    assert log == []
    await asyncio.sleep(0)
    assert log == [b"1", b"2", b"3"]


async def test_each_turn_has_its_own() -> None:
    outbox, (transport,), log = outbox_and_transports()
    for message in (b"1", b"2"):
        outbox.send(transport, message)
        await asyncio.sleep(0)
    assert log == [b"1", b"2"]


async def test_flush_sends_at_once_and_only_once() -> None:
    outbox, (transport,), log = outbox_and_transports()
    outbox.send(transport, b"1")
    outbox.flush()
    outbox.flush()
    assert log == [b"1"]
    await asyncio.sleep(0)
    assert log == [b"1"]


async def test_a_closing_transport_gets_nothing() -> None:
    outbox, (gone, there), log = outbox_and_transports(2)
    outbox.send(gone, b"1")
    outbox.send(there, b"2")
    cast(Transport, gone).closing = True
    await asyncio.sleep(0)
    assert log == [b"2"]


async def test_what_is_sent_while_flushing_waits_for_the_next_turn() -> None:
    outbox, (transport,), log = outbox_and_transports()

    class Again(Transport):
        def write(self, data: bytes) -> None:
            super().write(data)
            outbox.send(transport, b"2")

    outbox.send(cast(asyncio.Transport, Again(log)), b"1")
    outbox.flush()
    assert log == [b"1"]
    await asyncio.sleep(0)
    assert log == [b"1", b"2"]
