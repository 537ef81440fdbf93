"""Header blocks are read, or refused, as libnghttp2 reads or refuses them; without it, as the `hpack` library does.

What both accept means the same, field by field, with the bit "never indexed" and the size of the table.
What one refuses the other refuses. No difference has been found.
"""

from __future__ import annotations

import os
import random

import hpack
import pytest
from fuzzing import cases, nghttp2
from fuzzing.blocks import Writer

from proxy.http2.hpack.decoder import Decoder
from proxy.http2.hpack.errors import BadBlock
from proxy.http2.hpack.field import Judge

_BLOCKS = 40  # of one connection; after a block that is refused there is another connection


class Hpack:
    """The `hpack` library in the shape of `nghttp2.Inflater`."""

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(1 << 24)

    @property
    def size(self) -> int:
        return int(self._decoder.header_table._current_size)

    def allow(self, table_bytes: int) -> None:
        self._decoder.max_allowed_table_size = table_bytes

    def decode(self, block: bytes) -> list[tuple[bytes, bytes, bool]] | None:
        try:
            fields = self._decoder.decode(block, raw=True)
        except hpack.HPACKError:
            return None
        return [(bytes(field[0]), bytes(field[1]), not field.indexable) for field in fields]

    def close(self) -> None:
        """Nothing."""


def compare(dice: random.Random) -> int:
    """One connection; how many blocks it had."""
    writer = Writer(dice)
    decoder = Decoder(Judge(), 1 << 24)
    other = nghttp2.Inflater() if nghttp2.LIBRARY is not None else Hpack()
    is_broken = dice.random() < 0.5
    try:
        for number in range(1, _BLOCKS + 1):
            if dice.random() < 0.05:
                writer.table_bytes = dice.choice((0, 100, 4096, 5000))
                decoder.allow(writer.table_bytes)
                other.allow(writer.table_bytes)
            block = writer.block()
            if is_broken and dice.random() < 0.1:
                block = writer.broken(block)
            try:
                got = [(field.name, field.value, field.never) for field in decoder.decode(block)]
            except BadBlock:
                assert other.decode(block) is None, f"only we refuse {block.hex()}"
                return number
            wanted = other.decode(block)
            assert got == wanted, f"we read {block.hex()} otherwise"
            assert decoder.size == other.size, f"another table behind {block.hex()}"
        return _BLOCKS
    finally:
        other.close()


async def test_blocks() -> None:
    """FUZZ_BLOCKS: at least so many (`make fuzz-http2`)."""
    if nghttp2.LIBRARY is None and os.environ.get("FUZZ_BLOCKS"):
        pytest.skip("libnghttp2 is not installed")
    count = 0

    async def case(dice: random.Random) -> None:
        nonlocal count
        count += compare(dice)

    wanted = int(os.environ.get("FUZZ_BLOCKS", "0"))
    seed = 0
    while count < wanted:
        seed += 1
        try:
            await case(random.Random(seed))
        except BaseException as error:
            error.add_note(f"connection {seed}")
            raise
    if not wanted:
        await cases.run("test_blocks", 150, 0.1, case)
    print(f"{count} blocks")
