"""What is remembered of a request, and what is put back: the same for plain headers as for those read in full."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.propagation import Baggage, Extraction, Format, Member, Sampling, TraceContext
from proxy.participation.carried import NOTHING_CARRIED, Carried
from proxy.participation.carry_over import CarryOver, lacks, put_back
from proxy.plan.upstream import PropagationPlan
from proxy.translate import Translator
from proxy.translated import FastTranslation, RawHeaders

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
W3C = (b"traceparent", f"00-{T}-{S}-01".encode())
SHORT = (b"b3", f"{T[16:]}-{S}-1".encode())
RANDOM = (b"traceparent", f"00-{T}-{S}-03".encode())
STATE = (b"tracestate", b"congo=t61,rojo=1")
SESSION = (b"X-Mirascope-Session-Id", b"s-1")
BAGGAGE = (b"baggage", b"user=7,plan=x")
CONTEXT = TraceContext(T, S, Sampling.ACCEPT)


@pytest.mark.parametrize("inject", ["tracecontext", "b3", "b3multi", "jaeger"])
@pytest.mark.parametrize("baggage", ["translate", "drop"])
@pytest.mark.parametrize(
    "headers",
    [
        [W3C],
        [W3C, STATE],
        [SHORT],
        [W3C, SESSION],
        [W3C, BAGGAGE],
        [W3C, STATE, SESSION, BAGGAGE],
        [SHORT, SESSION],
        [RANDOM],
        [RANDOM, STATE],
    ],
)
def test_plain_headers_are_remembered_as_those_in_full(headers: RawHeaders, baggage: str, inject: str) -> None:
    plan = PropagationPlan(extract=FORMATS, inject=(Format(inject),), baggage=baggage)  # type: ignore[arg-type]
    translator = Translator(plan)
    fast = translator.translate(headers)
    assert isinstance(fast, FastTranslation) or BAGGAGE in headers
    assert translator.place_of(fast) == translator.place_of(translator.translate_in_full(headers))


FORMATS = (Format.TRACECONTEXT, Format.B3, Format.B3MULTI, Format.JAEGER)


def test_what_one_of_several_formats_cannot_say_is_remembered() -> None:
    everything = CarryOver(FORMATS, baggage=True)
    context = CONTEXT._replace(
        sampling=Sampling.DEBUG, tracestate="a=1", trace_id="0" * 16 + T[16:], short=True, random=True
    )
    place = everything.of_context(context, None)
    assert place is not None
    assert place.carried == Carried("a=1", None, None, is_debug=True, is_short=True, is_random=True)
    of_b3 = CarryOver((Format.B3,), baggage=True)
    assert of_b3.of_context(context._replace(tracestate="", random=False), None) is None
    of_w3c = CarryOver((Format.TRACECONTEXT,), baggage=True).of_context(context, None)
    assert of_w3c is not None
    assert (of_w3c.carried.tracestate, of_w3c.carried.is_random) == ("", False)


@given(
    st.lists(st.sampled_from([STATE, SESSION, BAGGAGE]), unique=True),
    st.sampled_from([W3C, SHORT, RANDOM]),
    st.builds(
        Carried,
        st.sampled_from(["", "a=1"]),
        st.sampled_from([None, Baggage((Member("k", "v"),))]),
        st.sampled_from([None, "s-2"]),
        st.booleans(),
        st.just(False),
        st.booleans(),
    ),
)
def test_plain_headers_lack_what_would_be_put_back(
    beside: list[tuple[bytes, bytes]], ids: tuple[bytes, bytes], carried: Carried
) -> None:
    translator = Translator(PropagationPlan(extract=FORMATS, inject=(Format.TRACECONTEXT,)))
    translation = translator.translate([ids, *(field for field in beside if ids != SHORT or field != STATE)])
    assert isinstance(translation, FastTranslation)
    extraction = translation.extraction
    assert extraction is not None
    assert lacks(translation.plain, carried) == bool(put_back(extraction, carried, baggage=True)[1])


def test_what_a_call_lacks_is_put_back() -> None:
    carried = Carried("a=1", Baggage((Member("k", "v"),)), "s-1", is_debug=True)
    extraction, names = put_back(Extraction(CONTEXT), carried, baggage=True)
    assert extraction.context == CONTEXT._replace(tracestate="a=1", sampling=Sampling.DEBUG)
    assert (extraction.session, extraction.baggage) == ("s-1", carried.baggage)
    assert names == ("tracestate", "debug", "session", "baggage")


def test_what_a_call_has_stays() -> None:
    carried = Carried("a=1", Baggage((Member("k", "v"),)), "s-1", is_debug=True)
    own = Extraction(
        CONTEXT._replace(tracestate="b=2", sampling=Sampling.DENY), session="s-2", baggage=Baggage((Member("o", "w"),))
    )
    assert put_back(own, carried, baggage=True) == (own, ())


def test_baggage_that_is_not_ours_to_write_is_not_put_back() -> None:
    carried = Carried(baggage=Baggage((Member("k", "v"),)))
    assert put_back(Extraction(CONTEXT), carried, baggage=False) == (Extraction(CONTEXT), ())


def test_a_call_without_a_trace_gets_nothing() -> None:
    assert put_back(Extraction(), Carried("a=1", session="s"), baggage=True) == (Extraction(), ())
    assert put_back(Extraction(CONTEXT), NOTHING_CARRIED, baggage=True) == (Extraction(CONTEXT), ())
