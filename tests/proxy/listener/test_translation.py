"""What is counted and logged of a translation, and how a response tells its caller the trace."""

from __future__ import annotations

import logging
from typing import cast

import pytest

from ops_lib.propagation import (
    FORMATS,
    Baggage,
    Extraction,
    Format,
    Loss,
    Malformed,
    Sampling,
    TraceContext,
    parse_formats,
)
from proxy.listener import translation as translation_module
from proxy.listener.translation import LogView, log_view, tally, tally_trust, tell, trace_line, untranslated
from proxy.plan import PropagationPlan
from proxy.telemetry.metrics import TranslationMetrics
from proxy.translate import Translator
from proxy.translated import NOTHING, FastTranslation, FullTranslation, Translation

T, S, U = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
OTHER = "c" * 32
W3C = (b"traceparent", f"00-{T}-{S}-01".encode())
SESSION = (b"X-Mirascope-Session-Id", b"s-1")


def translated(*headers: tuple[bytes, bytes], inject: str = "b3") -> Translation:
    return Translator(PropagationPlan(extract=FORMATS, inject=parse_formats(inject))).translate(list(headers))


def counted(*translations: Translation) -> dict[str, object]:
    """What has changed, by name."""
    metrics, fresh = TranslationMetrics(), TranslationMetrics()
    for one in translations:
        tally(metrics, one)
    found = {name: getattr(metrics, name) for name in dir(fresh) if not name.startswith("_")}
    return {name: value for name, value in found.items() if value != getattr(fresh, name)}


def test_a_plain_request_counts_by_what_it_came_in_and_went_out() -> None:
    fast = translated(W3C)
    assert isinstance(fast, FastTranslation)
    assert counted(fast, fast) == {"extracted": {"tracecontext": 2}, "injected": {"b3": 2}}
    assert counted(translated(W3C, SESSION))["sessions_carried"] == 1
    assert counted(NOTHING, NOTHING) == {"untraced": 2}


def test_what_disagrees_or_is_malformed_counts_by_pair() -> None:
    conflict = translated(W3C, (b"b3", f"{OTHER}-{S}-1".encode()), (b"uber-trace-id", f"{T}:{U}:0:1".encode()))
    made = counted(conflict)
    assert made["conflicts"] == {("tracecontext", "b3"): 1}
    assert made["span_conflicts"] == {("tracecontext", "jaeger"): 1}
    assert made["extracted"] == {"tracecontext": 1}
    bad = counted(translated((b"traceparent", b"x"), (b"X-Mirascope-Session-Id", b"\x01")))
    assert bad["untraced"] == 1
    assert [format for format, _ in cast(dict[tuple[str, str], int], bad["malformed"])] == ["tracecontext"]
    assert list(cast(dict[str, int], bad["sessions_malformed"]).values()) == [1]
    assert "sessions_carried" not in bad
    bare = counted(translated((b"b3", b"0")))
    assert (bare["bare_decisions"], bare["extracted"]) == (1, {"b3": 1})


CONTEXT = TraceContext(T, S, Sampling.ACCEPT)


def full(**more: object) -> FullTranslation:
    usual = FullTranslation([], Extraction(CONTEXT, session="s"), (Format("b3"),), (), CONTEXT)
    return usual._replace(**more)


def test_what_few_translations_have_counts_as_well() -> None:
    made = counted(
        full(
            losses=((Format("b3"), Loss.TRACESTATE),), foreign=(("datadog", "passed"),), withheld=("session",),
            carried=("debug", "session"), linked="single",
        )
    )  # fmt: skip
    assert made["losses"] == {("b3", "tracestate"): 1}
    assert made["foreign"] == {("datadog", "passed"): 1}
    assert made["withheld"] == {"session": 1}
    assert made["carried"] == {"debug": 1, "session": 1}
    assert made["linked"] == {"single": 1}
    assert "sessions_carried" not in made
    assert counted(full())["sessions_carried"] == 1
    assert counted(full(extraction=None)) == {"injected": {"b3": 1}, "untraced": 1}


def test_what_a_peer_was_not_believed_counts_by_its_rule() -> None:
    metrics = TranslationMetrics()
    tally_trust(metrics, "mesh", full(refused=("ids", "baggage")))
    tally_trust(metrics, "mesh", full())
    tally_trust(metrics, "", full())
    assert metrics.refused == {("mesh", "ids"): 1, ("mesh", "baggage"): 1, ("mesh", "nothing"): 1, ("", "nothing"): 1}


def test_a_bug_of_ours_is_counted_and_the_first_of_a_kind_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    metrics = TranslationMetrics()
    assert untranslated(metrics, KeyError("a")) is NOTHING
    tell(metrics, KeyError("b"))
    tell(metrics, ValueError("c"))
    assert metrics.errors == {"KeyError": 2, "ValueError": 1}
    assert [(one.levelno, one.getMessage()) for one in caplog.records] == [
        (logging.ERROR, "tracing failed, the request did not")
    ] * 2


# --- the access log


@pytest.mark.parametrize(
    ("sampling", "flags"),
    [(Sampling.DEFER, ""), (Sampling.DENY, "00"), (Sampling.ACCEPT, "01"), (Sampling.DEBUG, "01")],
)
def test_flags_in_the_access_log(sampling: Sampling, flags: str) -> None:
    metrics, context = TranslationMetrics(), CONTEXT._replace(sampling=sampling)
    assert log_view(metrics, full(context=context)).trace_flags == flags
    alone = log_view(metrics, full(context=context, extraction=None))
    assert alone == LogView(T, span_id=S, trace_flags=flags, written="b3")


def test_what_the_access_log_says_of_a_translation() -> None:
    metrics = TranslationMetrics()
    assert log_view(metrics, NOTHING) == LogView() == LogView("", "", "", "", "", "", "", "", "")
    said = log_view(
        metrics,
        translated(
            (b"b3", f"{OTHER}-{S}-1".encode()), W3C, (b"uber-trace-id", f"{T}:{U}:0:1".encode()), SESSION,
            inject="b3,tracecontext",
        ),
    )  # fmt: skip
    assert (said.trace_id, said.span_id, said.session, said.written) == (T, S, "s-1", "b3,tracecontext")
    assert (said.conflict, said.span_conflict) == (f"b3:{OTHER}", f"jaeger:{U}")
    assert said.read.split(",")[0] == "tracecontext"
    assert sorted(said.read.split(",")) == ["b3", "jaeger", "tracecontext"]
    conflicts = ((Format.B3, CONTEXT._replace(trace_id=OTHER, span_id=U)), (Format.JAEGER, CONTEXT))
    said = log_view(metrics, full(extraction=Extraction(CONTEXT, conflicts=conflicts, span_conflicts=conflicts)))
    assert (said.conflict, said.span_conflict) == (f"b3:{OTHER},jaeger:{T}", f"b3:{U},jaeger:{S}")
    assert said.malformed == ""
    bad = log_view(
        metrics, translated((b"traceparent", b"x"), (b"X-Mirascope-Session-Id", b"\x01"), (b"baggage", b"="))
    )
    told = dict(one.split(":") for one in bad.malformed.split(","))
    assert list(told) == ["tracecontext", "session", "baggage"]
    assert (bad.trace_id, bad.read) == ("", "")


@pytest.mark.skipif(
    not cast(str, translation_module.__file__).endswith(".py"), reason="compiled, it is given nothing of another type"
)
def test_a_view_that_fails_is_empty_and_counted() -> None:
    metrics = TranslationMetrics()
    assert log_view(metrics, cast(Translation, None)) == LogView()
    assert trace_line(metrics, b"traceresponse", cast(Translation, 5)) == b""
    assert metrics.errors == {"AttributeError": 2}


# --- what the caller is told


@pytest.mark.parametrize(
    ("read", "sampling", "short", "line"),
    [
        ("b3", Sampling.DENY, False, f"b3: {T}-{S}-0"),
        ("b3multi", Sampling.ACCEPT, True, f"b3: {T[16:]}-{S}-1"),
        ("b3", Sampling.DEBUG, False, f"b3: {T}-{S}-d"),
        ("b3", Sampling.DEFER, False, f"b3: {T}-{S}"),
        ("jaeger", Sampling.DENY, False, f"uber-trace-id: {T}:{S}:0:0"),
        ("jaeger", Sampling.ACCEPT, True, f"uber-trace-id: {T[16:]}:{S}:0:1"),
        ("jaeger", Sampling.DEBUG, False, f"uber-trace-id: {T}:{S}:0:3"),
        ("jaeger", Sampling.DEFER, False, f"uber-trace-id: {T}:{S}:0:1"),
        ("tracecontext,jaeger,b3", Sampling.ACCEPT, False, f"uber-trace-id: {T}:{S}:0:1"),
        ("tracecontext", Sampling.ACCEPT, False, f"traceresponse: 00-{T}-{S}-01"),
        ("", Sampling.DENY, False, f"traceresponse: 00-{T}-{S}-00"),
    ],
)
def test_a_mirror_tells_in_the_callers_own_format(read: str, sampling: Sampling, short: bool, line: str) -> None:
    made = full(context=CONTEXT._replace(sampling=sampling, short=short), read=read)
    assert trace_line(TranslationMetrics(), b"mirror", made) == line.encode()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (b"X-Trace", f"X-Trace: 00-{T}-{S}-01"),
        (b"Server-Timing", f'Server-Timing: trace;desc="00-{T}-{S}-01"'),
        (b"server-timing", f'server-timing: trace;desc="00-{T}-{S}-01"'),
    ],
)
def test_a_field_tells_as_traceparent_does(name: bytes, line: str) -> None:
    assert trace_line(TranslationMetrics(), name, full()) == line.encode()
    assert trace_line(TranslationMetrics(), name, full(context=None)) == b""
    assert trace_line(TranslationMetrics(), name, None) == b""


def test_what_baggage_that_is_malformed_is_called() -> None:
    extraction = Extraction(CONTEXT, baggage=Baggage(()), baggage_malformed=Malformed.SHAPE)
    assert log_view(TranslationMetrics(), full(extraction=extraction)).malformed == f"baggage:{Malformed.SHAPE}"
