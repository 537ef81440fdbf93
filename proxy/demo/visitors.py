"""The demo's visitors: requests at a constant rate, each in the next format, until they are told to stop.

    python -m proxy.demo.visitors http://shop:9080/checkout --per-second 1

Says when requests begin to fail and when they are answered again, not each of them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import secrets
import signal
from collections.abc import Iterator, Sequence

import aiohttp

from proxy.demo.dialects import B3_MULTI, JAEGER, SESSION, W3C, Dialect, Headers, Span

ANSWER_TIMEOUT_S = 10.0


def b3_single(span: Span) -> Headers:
    """The single header, which none of the demo's services speaks."""
    decision = {"accept": "1", "debug": "d"}[span.sampling]
    return (("b3", f"{span.trace_id}-{span.span_id}-{decision}"),)


def visits() -> Iterator[Headers]:
    """Headers of one visitor after another: a new trace each, in the four formats, one of them in debug."""
    kinds: list[tuple[Dialect | None, int, str]] = [
        (W3C, 16, "accept"),
        (None, 16, "accept"),
        (B3_MULTI, 8, "debug"),  # the way Zipkin's first clients wrote it: 64 bits
        (JAEGER, 16, "accept"),
    ]
    for number, (dialect, width, sampling) in enumerate(itertools.cycle(kinds)):
        span = Span(secrets.token_hex(width), secrets.token_hex(8), sampling)
        headers = dialect.write(span) if dialect is not None else b3_single(span)
        yield (*headers, (SESSION, f"visitor-{number % 20}"))


async def visit(session: aiohttp.ClientSession, url: str, headers: Headers) -> str:
    """One request; empty if it was answered well, else what happened."""
    try:
        async with session.get(url, headers=headers) as response:
            await response.read()
            return "" if response.status == 200 else f"answered {response.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"{type(error).__name__} {error}".strip()


async def run(url: str, per_second: float) -> None:
    """Send requests until SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    last: str | None = None  # not asked yet
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for headers in visits():
            problem = await visit(session, url, headers)
            if problem != last:
                print(f"{url}: {problem or 'is answered'}", flush=True)
                last = problem
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1 / per_second)
            if stop.is_set():
                break


def main(argv: Sequence[str] | None = None) -> None:
    """Run the visitors."""
    parser = argparse.ArgumentParser(prog="python -m proxy.demo.visitors", description="Requests at a constant rate.")
    parser.add_argument("url", help="where they go, such as http://shop:9080/checkout")
    parser.add_argument("--per-second", type=float, default=1.0, metavar="RATE", help="default 1")
    options = parser.parse_args(argv)
    if not 0 < options.per_second <= 1000:
        parser.error(f"--per-second {options.per_second:g}: expected more than 0 and at most 1000")
    asyncio.run(run(options.url, options.per_second))


if __name__ == "__main__":
    main()
