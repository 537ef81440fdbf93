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
    status = b'ops-sidecar; error=%b; details="the \\"reason\\" ?\\\\"' % fault.proxy_error.encode()
    assert fields[b"Proxy-Status"] == status
    assert json.loads(problem.content) == {
        "type": f"urn:ops-sidecar:problem:{fault.label}",
        "title": fault.title,
        "status": fault.status,
        "detail": 'the "reason" é\\',
        "proxy_error": fault.proxy_error,
    }
    assert (b"Retry-After" in fields) is (fault.status == 503)
    assert (b"Allow" in fields) is (fault.status == 405)
