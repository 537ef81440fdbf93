"""What a request that is not forwarded is answered with."""

from __future__ import annotations

import json

import pytest

from proxy.semantics.faults import Fault
from proxy.semantics.problem import problem_of


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.label)
def test_every_fault_has_an_answer(fault: Fault) -> None:
    problem = problem_of(fault, 'the "reason" é\\')
    fields = dict(problem.fields)
    assert (problem.status, problem.title) == (fault.status, fault.title)
    assert fields[b"Content-Type"] == b"application/problem+json"
    assert fields[b"Cache-Control"] == b"no-store"
    status = b'ops-sidecar; error=%b; details="the \\"reason\\" ?\\\\"' % fault.proxy_error.encode()
    assert fields[b"Proxy-Status"] == status
    assert json.loads(problem.content) == {
        "type": f"urn:ops-sidecar:problem:{fault.label}",
        "title": fault.title,
        "status": fault.status,
        "detail": 'the "reason" é\\',
        "proxy_error": fault.proxy_error,
    }
    assert (b"Retry-After" in fields) is (fault.status in (429, 503))
    assert (b"Allow" in fields) is (fault.status == 405)


def test_without_a_detail_only_the_kind_of_the_fault_is_told() -> None:
    problem = problem_of(Fault.CONNECTION_REFUSED, "")
    assert "detail" not in json.loads(problem.content)
    assert dict(problem.fields)[b"Proxy-Status"] == b"ops-sidecar; error=connection_refused"


def test_an_answer_is_not_as_long_as_a_client_likes() -> None:
    """A detail may name the host that a client asked for."""
    assert json.loads(problem_of(Fault.DNS_ERROR, "x" * 300).content)["detail"] == "x" * 300
    problem = problem_of(Fault.DNS_ERROR, "x" * 8000)
    assert json.loads(problem.content)["detail"] == "x" * 300 + "..."
    assert len(dict(problem.fields)[b"Proxy-Status"]) < 400
