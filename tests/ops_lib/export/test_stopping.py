"""The end is waited for, but not for ever: with collectors that answer, answer late, or never."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

import ops_lib as ops
from ops_lib.export.stopping import Stop

PROGRAM = """
import sys, threading, time
import ops_lib as ops
ops.configure("shop", endpoint=sys.argv[1]{settings})
with ops.span("last words"):
    pass
{then}
print(time.monotonic())
"""


class Listener:
    """A port that takes every connection and reads it; it answers after `delay_s`, or never."""

    def __init__(self, delay_s: float | None) -> None:
        self.requests = 0
        self._delay_s = delay_s
        self._closed = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            connection, _ = self._server.accept()
            if self._closed.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            self.requests += 1
            if not self._closed.wait(self._delay_s):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def close(self) -> None:
        self._closed.set()
        socket.create_connection(self._server.getsockname()).close()
        for thread in self._threads:
            thread.join()
        self._server.close()


@pytest.fixture
def listener(request: pytest.FixtureRequest) -> Iterator[Listener]:
    made = Listener(request.param)
    yield made
    made.close()


def run(url: str, settings: str = "", then: str = "") -> tuple[float, str]:
    """Seconds from the program's last line to its end, and what it wrote to stderr."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    program = PROGRAM.format(settings=settings, then=then)
    done = subprocess.run(
        [sys.executable, "-c", program, url], check=True, timeout=60, env=environ, capture_output=True, text=True
    )
    return time.monotonic() - float(done.stdout), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("listener", [None], indirect=True)
@pytest.mark.parametrize("then", ["", "ops.flush(0)", "ops.flush(0); ops.configure(exporter='none')"])
def test_a_collector_that_never_answers_does_not_hold_up_the_exit(listener: Listener, then: str) -> None:
    """The SDK alone waits 10 s for the answer; the bound is asked for with room for a slow machine."""
    seconds, said = run(listener.url, ", shutdown_timeout_s=0.5", then)
    assert seconds < 5
    assert listener.requests == 1
    assert "still busy after 0.5 s" in said


@pytest.mark.slow
@pytest.mark.parametrize("listener", [None], indirect=True)
def test_in_a_forked_child_as_well(listener: Listener) -> None:
    then = """
import os, signal, warnings
warnings.simplefilter("ignore")  # Python 3.12 warns of any fork beside threads
pid = os.fork()
if pid:
    _, status = os.waitpid(pid, 0)
    os._exit(os.waitstatus_to_exitcode(status))
with ops.span("child"):
    pass
"""
    seconds, said = run(listener.url, ", shutdown_timeout_s=0.5", then)
    assert seconds < 5
    assert "still busy after 0.5 s" in said


@pytest.mark.slow
@pytest.mark.parametrize("listener", [1.0], indirect=True)
def test_a_collector_that_answers_late_gets_everything(listener: Listener) -> None:
    seconds, said = run(listener.url)
    assert listener.requests == 1
    assert seconds > 0.5
    assert said == ""


class Stuck(SpanExporter):
    def __init__(self) -> None:
        self.go_on = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.go_on.wait()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...


def test_a_second_configure_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    stuck = Stuck()
    ops.configure(exporter=stuck, shutdown_timeout_s=0.01)
    with ops.span("s"):
        pass
    ops.configure(exporter="none")
    assert "still busy after 0.01 s" in caplog.text
    stuck.go_on.set()


def test_a_provider_that_was_handed_in_is_flushed_no_longer_than_that() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    stuck, provider = Stuck(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(stuck))
    ops.configure(tracer_provider=provider, shutdown_timeout_s=0.01)
    with ops.span("s"):
        pass
    ops.shutdown()  # would not come back
    stuck.go_on.set()
    provider.shutdown()


@pytest.mark.parametrize("wrong", [-1.0, float("nan")])
def test_a_wrong_bound_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="shutdown_timeout_s must be 0 or more seconds"):
        ops.configure(exporter="none", shutdown_timeout_s=wrong)


def test_what_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("no shutdown")

    Stop(fail, 10)()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "a span processor failed at shutdown")
    ]


def test_wrong_settings_leave_no_thread_behind() -> None:
    before = threading.enumerate()
    with pytest.raises(ValueError, match="unknown sampler"):
        ops.configure(endpoint="http://127.0.0.1:9", sampler="sometimes")
    with pytest.raises(ValueError, match="unknown exporter"):
        ops.configure(exporter="otlp,gopher")
    assert [thread for thread in threading.enumerate() if thread not in before] == []


def test_an_exporter_that_is_still_busy_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def hang() -> None:
        done.wait()

    Stop(hang, 0.001)()
    done.set()
    assert [record.getMessage() for record in caplog.records] == [
        "the span exporter is still busy after 0.001 s; what it has not sent may be lost"
    ]
