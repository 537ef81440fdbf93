"""What an app was given beside the ids, and what of it a call lacks."""

from __future__ import annotations

import pytest

from ops_lib.propagation import FORMATS, Format, parse_formats
from proxy.listener.app_calls.losses import NOTHING, Given, given_by, lost_in
from proxy.plan import PropagationPlan
from proxy.semantics.request import Field
from proxy.translate import Translator
from proxy.translated import FullTranslation

T, S = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
W3C = (b"traceparent", f"00-{T}-{S}-01".encode())
CALL = Translator(PropagationPlan(extract=FORMATS, inject=parse_formats("tracecontext"))).translate([W3C])
TRACECONTEXT, B3 = Format("tracecontext"), Format("b3")


def given(*headers: Field, session: bytes | None = None) -> Given:
    return given_by(FullTranslation(list(headers), None, (), (), None, session=session))


@pytest.mark.parametrize("name", [b"baggage", b"Baggage", b"jaeger-baggage", b"uberctx-a", b"UberCtx-b"])
def test_each_header_that_is_baggage(name: bytes) -> None:
    assert given((name, b"a=1")) == Given(frozenset(), True, False)
    assert dict(lost_in(given((name, b"a=1")), CALL, (B3,), [(name, b"")])) == {"baggage": False}
    assert dict(lost_in(given((name, b"a=1")), CALL, (B3,), [(b"x-" + name, b"")])) == {"baggage": True}


def test_what_was_given() -> None:
    assert given(W3C) is NOTHING
    assert given((b"tracestate", b"ops=1, a=1 ,b=2,,=3")) == Given(frozenset((b"a", b"b")), False, False)
    assert given((b"tracestate", b"ops=1")) is NOTHING
    assert given(session=b"s") == Given(frozenset(), False, True)
    assert given((b"baggages", b"x")) is NOTHING
    assert Given(frozenset(), False, False) == NOTHING


def test_a_tracestate_is_expected_of_calls_in_w3c() -> None:
    state = given((b"tracestate", b"a=1,b=2"))
    for sent, lost in (
        ([(b"TraceState", b"b=9,a=8")], False), ([(b"tracestate", b"a=1"), (b"tracestate", b"b=2")], False),
        ([(b"tracestate", b"a=1")], True), ([], True), ([(b"x", b"a=1,b=2")], True),
    ):  # fmt: skip
        assert list(lost_in(state, CALL, (B3, TRACECONTEXT), sent)) == [("tracestate", lost)]
    assert list(lost_in(state, CALL, (B3,), [])) == []
    assert list(lost_in(NOTHING, CALL, (TRACECONTEXT,), [])) == []


def test_a_session_that_was_put_back_is_lost() -> None:
    wanted = given(session=b"s")
    has = FullTranslation([], None, (), (), None, session=b"s")
    assert list(lost_in(wanted, has, (B3,), [])) == [("session", False)]
    assert list(lost_in(wanted, has._replace(carried=("session",)), (B3,), [])) == [("session", True)]
    assert list(lost_in(wanted, has._replace(carried=("debug",)), (B3,), [])) == [("session", False)]
    assert list(lost_in(wanted, CALL, (B3,), [])) == [("session", True)]
