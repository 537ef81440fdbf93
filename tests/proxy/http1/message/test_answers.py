"""The sidecar's own answers, in HTTP/1.1."""

from __future__ import annotations

from proxy.http1.message.answers import options_response, problem_response
from proxy.semantics.faults import Fault
from proxy.semantics.problem import Problem, problem_of

PROBLEM = problem_of(Fault.DNS_ERROR, "x")


def test_a_problem_with_its_fields_and_framing() -> None:
    answer = problem_response(Problem(508, "Loop Detected", [(b"A", b"1"), (b"B", b"2")], b"{}"), date=b"now")
    head = b"HTTP/1.1 508 Loop Detected\r\nA: 1\r\nB: 2\r\nContent-Length: 2\r\nDate: now\r\nConnection: close\r\n\r\n"
    assert answer == head + b"{}"


def test_to_head_and_on_a_connection_that_goes_on() -> None:
    head = problem_response(PROBLEM, date=b"now", head_only=True, close=False)
    assert head.endswith(b"\r\n\r\n")
    assert b"Connection" not in head
    assert b"Content-Length: %d\r\n" % len(PROBLEM.content) in head


def test_options() -> None:
    assert options_response(b"now").startswith(b"HTTP/1.1 200 OK\r\nDate: now\r\nAllow: ")
