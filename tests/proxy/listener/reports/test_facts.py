"""What a console is told of an exchange: tokens, contexts, times, and what few have."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ops_lib.propagation import FORMATS, Extraction, Format, Loss, Sampling, TraceContext, parse_formats
from proxy.http1.message.request import Request
from proxy.listener.accounting import Accounted, Extras, logged_status
from proxy.listener.reports.facts import (
    context_of,
    parent_of,
    peer_of,
    rare_of,
    read_tokens,
    timing_of,
    winner_of,
)
from proxy.plan import PropagationPlan
from proxy.semantics.faults import Fault, Refusal
from proxy.telemetry.report.exchange import NOTHING_RARE, Rare, Timing
from proxy.translate import Translator
from proxy.translated import NOTHING, FastTranslation, FullTranslation, Translation

T, S, U = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
W3C = (b"traceparent", f"00-{T}-{S}-01".encode())
CONTEXT = TraceContext(T, S, Sampling.ACCEPT)


def translated(*headers: tuple[bytes, bytes], inject: str = "b3", mode: str = "translate") -> Translation:
    plan = PropagationPlan(extract=FORMATS, inject=parse_formats(inject), mode=mode)  # type: ignore[arg-type]
    return Translator(plan).translate(list(headers))


def full(**more: object) -> FullTranslation:
    return FullTranslation([], Extraction(CONTEXT), (Format("b3"),), (), CONTEXT)._replace(**more)


def test_tokens_of_what_came() -> None:
    fast = translated(W3C)
    assert isinstance(fast, FastTranslation)
    assert [read_tokens(fast, unread) for unread in ("", "b3?")] == ["tracecontext", "tracecontext,b3?"]
    assert read_tokens(NOTHING, "") == ""
    assert read_tokens(NOTHING, "b3?") == "b3?"
    several = translated(W3C, (b"b3", f"{'c' * 32}-{S}-1".encode()), (b"uber-trace-id", f"{T}:{U}:0:1".encode()))
    assert sorted(read_tokens(several, "").split(",")) == ["b3~", "jaeger^", "tracecontext"]
    bad = translated(W3C, (b"b3", b"x"))
    assert read_tokens(bad, "").startswith("tracecontext,b3!")
    beside = full(extraction=None, foreign=(("datadog", "passed"), ("aws", "removed")))
    assert [read_tokens(beside, unread) for unread in ("", "b3?")] == ["datadog+,aws-", "b3?,datadog+,aws-"]


def test_the_format_that_counted() -> None:
    assert [winner_of(one) for one in (translated(W3C), NOTHING, full())] == ["tracecontext", "", ""]
    assert winner_of(translated(W3C, (b"b3", f"{'c' * 32}-{S}-1".encode()))) == "tracecontext"


def test_what_went_out_by_the_fast_path() -> None:
    assert context_of(translated(W3C)) == ((T.encode(), S.encode(), 1), "accept", False)
    denied = translated((b"b3", f"{T[16:]}-{S}-0".encode()))
    assert isinstance(denied, FastTranslation)
    assert context_of(denied) == (((b"0" * 16) + T[16:].encode(), S.encode(), 0), "deny", True)


@pytest.mark.parametrize(
    ("sampling", "flags", "word"),
    [
        (Sampling.ACCEPT, 1, "accept"),
        (Sampling.DEBUG, 1, "debug"),
        (Sampling.DENY, 0, "deny"),
        (Sampling.DEFER, 0, "defer"),
    ],
)
def test_what_went_out_by_the_full_path(sampling: Sampling, flags: int, word: str) -> None:
    made = full(context=CONTEXT._replace(sampling=sampling, short=True))
    assert context_of(made) == ((T.encode(), S.encode(), flags), word, True)
    assert context_of(made._replace(injected=())) == (None, "", False)
    assert context_of(made._replace(context=None)) == (None, "", False)


def test_the_callers_span_where_ours_took_its_place() -> None:
    assert [parent_of(one) for one in (translated(W3C), NOTHING, full())] == [b"", b"", b""]
    assert parent_of(full(context=CONTEXT._replace(span_id=U))) == S.encode()
    assert parent_of(full(context=None)) == parent_of(full(extraction=Extraction(None))) == b""
    ours = translated(W3C, mode="participate")
    assert (isinstance(ours, FastTranslation), parent_of(ours)) == (True, S.encode())


@pytest.mark.parametrize(
    ("waited_s", "connect_s", "head_s", "told"),
    [
        (-1.0, 0.0, -1.0, None), (0.0, 0.0, 0.5, (0.0, 0.0, 0.5)), (0.5, 0.25, 1.0, (0.25, 0.25, 0.5)),
        (0.25, 0.5, 1.0, (0.0, 0.25, 0.75)), (0.5, 0.0, -1.0, (0.5, 0.0, -1.5)),
    ],
)  # fmt: skip
def test_where_the_time_went(waited_s: float, connect_s: float, head_s: float, told: Timing | None) -> None:
    accounted = Accounted()
    assert timing_of(accounted) is None
    accounted.extras = timed = Extras()
    timed.waited_s, timed.connect_s, timed.head_s = waited_s, connect_s, head_s
    assert timing_of(accounted) == told


def test_what_few_exchanges_have() -> None:
    accounted, fast = Accounted(), translated(W3C)
    assert rare_of(accounted, fast, "") is NOTHING_RARE
    assert rare_of(accounted, fast, "gone") == Rare(fault_detail="gone")
    accounted.resends, accounted.findings, accounted.request_of = 2, ("dropped",), "r-1"
    assert rare_of(accounted, fast, "") == Rare(retries=2, findings=("dropped",), request_of="r-1")
    link = TraceContext("d" * 32, U, Sampling.DENY)
    made = full(
        losses=((Format("b3"), Loss.TRACESTATE),), carried=("debug",), linked="single", withheld=("session",),
        refused=("ids",), link=link,
    )  # fmt: skip
    assert rare_of(accounted, made, "gone") == Rare(
        "gone", False, False, ("b3:tracestate",), ("debug",), "single", ("session",), ("ids",), f"{'d' * 32}-{U}", 2,
        ("dropped",), "r-1",
    )  # fmt: skip
    bare = full(extraction=Extraction(None, Sampling.DENY), context=None)
    assert (rare_of(Accounted(), bare, "").bare, rare_of(Accounted(), bare, "").made) == (True, False)
    assert rare_of(Accounted(), bare._replace(context=CONTEXT), "").made is True
    assert rare_of(Accounted(), full(extraction=Extraction(None)), "") == Rare()


def test_a_client_that_left_is_logged_as_499() -> None:
    gone = Refusal(Fault.CLIENT_GONE, "x")
    assert [logged_status(200, one) for one in (None, gone, Refusal(Fault.BAD_HOST, "x"))] == [200, 499, 200]


@pytest.mark.parametrize(
    ("via", "names", "address", "peer"),
    [
        (b"1.1 x.shop.ops-sidecar", ("svc.test",), b"10.0.0.9", ("sidecar", "shop")),
        (b"1.0 a, 1.1 x.shop.ops-sidecar ", (), b"10.0.0.9", ("sidecar", "shop")),
        (b"1.1 x.shop.ops-sidecar, 1.1 edge", ("svc.test", "other.test"), b"10.0.0.9", ("certificate", "svc.test")),
        (b"", ("svc.test", "other.test"), b"10.0.0.9", ("certificate", "svc.test")),
        (b"", (), b"10.0.0.9", ("rule", "edge")),
        (b"1.1 edge", (), b"192.0.2.7", ("address", "192.0.2.7")),
        (b"", (), b"", ("address", "unix")),
    ],
)
@pytest.mark.parametrize("is_read", [True, False])
def test_who_called_by_what_is_known_for_sure(
    via: bytes, names: tuple[str, ...], address: bytes, peer: tuple[str, str], is_read: bool
) -> None:
    """`is_read`: only a listener that writes Via sets it aside; elsewhere it is a field like others."""
    request = Request(b"GET", b"/", 1, [b"Via: " + via] if via and not is_read else [])
    if via and is_read:
        request.via = (b"1.1 first", via)
    rules = SimpleNamespace(
        has_trust=True, rule_of=lambda asker: asker.address == b"10.0.0.9", trust_names=("", "edge")
    )
    asker = SimpleNamespace(address=address, names=names)
    assert peer_of(cast(Any, rules), cast(Any, asker), request) == peer
    rules.has_trust = False
    if peer[0] == "rule":
        assert peer_of(cast(Any, rules), cast(Any, asker), request) == ("address", "10.0.0.9")
