"""Lines go out in order from a thread of their own; a reader that does not read costs lines, never time."""

from __future__ import annotations

import os
import select
import threading

from proxy.telemetry.writer import LineWriter


def test_lines_come_out_in_order_and_complete() -> None:
    reader, fd = os.pipe()
    writer = LineWriter(fd, limit_lines=10_000, name="t")
    for number in range(1000):
        writer.write(f"line {number}")
    received = b""
    while received.count(b"\n") < 1000:
        received += os.read(reader, 65536)
    assert received.decode().splitlines() == [f"line {number}" for number in range(1000)]
    writer.close()
    assert (writer.written, writer.dropped) == (1000, 0)
    os.close(reader)
    os.close(fd)


def test_a_line_after_a_silence_comes_out_at_once() -> None:
    """Nobody has to write another one first."""
    reader, fd = os.pipe()
    writer = LineWriter(fd, limit_lines=10, name="t")
    for number in range(20):
        writer.write(f"line {number}")
        ready, _, _ = select.select([reader], [], [], 10)
        assert ready
        assert os.read(reader, 99) == f"line {number}\n".encode()
    writer.close()
    os.close(reader)
    os.close(fd)


def test_a_reader_that_does_not_read_costs_lines_and_no_time() -> None:
    reader, fd = os.pipe()
    writer = LineWriter(fd, limit_lines=10, name="t")
    for _ in range(1000):
        writer.write("x" * 1000)  # far more than a pipe holds
    writer.close(timeout_s=0.05)
    assert writer.dropped >= 1000 - 10 - 512 - 70
    os.close(reader)  # ends the thread's write
    assert _ended("t")
    os.close(fd)


def test_long_lines_count_as_several() -> None:
    """Whoever makes them long does not make the queue hold more."""
    reader, fd = os.pipe()
    writer = LineWriter(fd, limit_lines=100, name="t")
    for _ in range(1000):
        writer.write("x" * 40_000)
    assert sum(map(len, writer._lines)) <= 100 * 4096
    writer.close(timeout_s=0.05)
    os.close(reader)
    assert _ended("t")
    os.close(fd)


def test_nobody_reads_any_more() -> None:
    reader, fd = os.pipe()
    os.close(reader)
    writer = LineWriter(fd, limit_lines=10, name="t")
    writer.write("x")
    writer.close()
    assert (writer.written, writer.dropped) == (0, 1)
    writer.write("y")
    assert writer.dropped == 2
    os.close(fd)


def test_closing_writes_what_is_queued() -> None:
    reader, fd = os.pipe()
    writer = LineWriter(fd, limit_lines=10, name="t")
    writer.write("last words \udcff")
    writer.close()
    assert os.read(reader, 100) == b"last words \\udcff\n"
    os.close(reader)
    os.close(fd)


def _ended(name: str) -> bool:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(5)
            return not thread.is_alive()
    return True
