"""How many cases to run, from which seed, and what is said of the one that fails.

FUZZ_SECONDS: as long as that, from a seed of its own each time (`make fuzz`). FUZZ_SEED: that case alone. Neither: a
fixed number of cases from a fixed seed, as a part of `make test`.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator

_FIXED_SEED = 20_240_229


def seeds(count: int, share: float) -> Iterator[int]:
    """Seeds of the cases to run: `count` of them, or for `share` of FUZZ_SECONDS."""
    only, seconds = os.environ.get("FUZZ_SEED"), os.environ.get("FUZZ_SECONDS")
    if only:
        yield int(only)
    elif seconds:
        until = time.monotonic() + float(seconds) * share
        first = random.SystemRandom().randrange(1 << 40)
        number = 0
        while time.monotonic() < until:
            yield first + number
            number += 1
    else:
        yield from range(_FIXED_SEED, _FIXED_SEED + count)


async def run(name: str, count: int, share: float, case: Callable[[random.Random], Awaitable[None]]) -> int:
    """Run `case` for each seed; how many it were. A failure says how to run it again."""
    number = 0
    for seed in seeds(count, share):
        try:
            await case(random.Random(seed))
        except BaseException as error:
            error.add_note(f"to run this case alone: make fuzz SEED={seed} ARGS='-k {name}'")
            raise
        number += 1
    return number
