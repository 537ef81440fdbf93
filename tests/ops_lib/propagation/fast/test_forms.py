"""The functions that the fast path writes with: what goes into their source, and what they write.

That they write what `inject` writes, for every format and kind, is in test_codec.
"""

from __future__ import annotations

import pytest

from ops_lib.propagation import ALL_TRAITS, FORMATS, Format, Propagator, RawFastPath
from ops_lib.propagation.fast.forms import HAS_STATE, IS_SHORT, around, compiled, sample
from ops_lib.propagation.fast.shapes import FastSettings

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
SETTINGS = FastSettings(
    extract=FORMATS,
    inject=(Format.B3,),
    session_inject="X-Session",
    session_extract=("x-session",),
    lossless=True,
    writes_w3c_baggage=True,
    writes_jaeger_baggage=True,
    reads_baggage=True,
)
BAGGAGE = ("a=1,b=2", {"a": "1", "b": "2"})


def test_pairs_are_a_new_list_with_session_and_baggage_behind_the_formats() -> None:
    write = compiled(bytes, SETTINGS, 0, is_sampled=True)
    baggage = (b"a=1,b=2", {b"a": b"1", b"b": b"2"})
    assert write(T.encode(), S.encode(), None, b"", b"s-1", baggage) == [
        (b"b3", f"{T}-{S}-1".encode()),
        (b"X-Session", b"s-1"),
        (b"baggage", b"a=1,b=2"),
        (b"uberctx-a", b"1"),
        (b"uberctx-b", b"2"),
    ]
    assert write(T.encode(), S.encode(), None, b"", None, None) == [(b"b3", f"{T}-{S}-1".encode())]


def test_a_mapping_is_written_into() -> None:
    write = compiled(str, SETTINGS, 0, is_sampled=False, mapping=True)
    headers = {"Accept": "*/*"}
    assert write(headers, T, S, None, "", "s-1", BAGGAGE) is True
    assert headers == {
        "Accept": "*/*",
        "b3": f"{T}-{S}-0",
        "X-Session": "s-1",
        "baggage": "a=1,b=2",
        "uberctx-a": "1",
        "uberctx-b": "2",
    }


@pytest.mark.parametrize("mapping", [False, True])
def test_what_is_not_written_stands_in_no_source(mapping: bool) -> None:
    """Neither a session nor baggage, where the settings name no header for them."""
    settings = SETTINGS._replace(session_inject="", writes_w3c_baggage=False, writes_jaeger_baggage=False)
    write = compiled(str, settings, 0, is_sampled=True, mapping=mapping)
    headers: dict[str, str] = {}
    if mapping:
        assert write(headers, T, S, None, "", "s-1", BAGGAGE)
    else:
        headers = dict(write(T, S, None, "", "s-1", BAGGAGE))
    assert headers == {"b3": f"{T}-{S}-1"}


@pytest.mark.parametrize("name", ["X-It's", 'X-"', "X-{trace_id}", "X-%s", "X-\\n", "X-'), exit(), ('"])
def test_a_session_header_is_a_literal_whatever_it_is_called(name: str) -> None:
    settings = SETTINGS._replace(session_inject=name, writes_w3c_baggage=False, writes_jaeger_baggage=False)
    assert compiled(str, settings, 0, is_sampled=True)(T, S, None, "", "s-1", None)[1] == (name, "s-1")
    raw = compiled(bytes, settings, 0, is_sampled=True)(b"t", b"s", None, b"", b"s-1", None)
    assert raw[1] == (name.encode(), b"s-1")


def test_what_does_not_follow_one_form_has_none() -> None:
    """`ops=` keeps the width, and then the other members of a long tracestate may have to go."""
    settings = SETTINGS._replace(inject=(Format.TRACECONTEXT,))
    for traits in range(ALL_TRAITS + 1):
        write = compiled(str, settings, traits, is_sampled=True)
        is_written = write(T, S, S, "a=1", None, None) is not None
        assert is_written is not bool(traits & HAS_STATE and traits & IS_SHORT), traits


def test_samples_share_no_id() -> None:
    """Or one slot could be taken for another, and a literal for a slot."""
    ids = []
    for number in range(3):
        context = sample(ALL_TRAITS & ~IS_SHORT, number)
        ids += [context.trace_id[:16], context.trace_id[16:], context.span_id, context.parent_id]
    assert len(set(ids)) == 12
    assert sample(0, 1).span_id.startswith("0")
    assert sample(0, 2).span_id.startswith("00")
    assert len(sample(HAS_STATE, 1).tracestate) == 512


@pytest.mark.parametrize(
    ("inject", "texts"),
    [
        ((Format.TRACECONTEXT,), (b"traceparent", b"00-", b"-", b"-01")),
        ((Format.B3,), (b"b3", b"", b"-", b"-1")),
        ((Format.JAEGER,), (b"uber-trace-id", b"", b":", b":0:1")),
        ((Format.B3MULTI,), None),
        ((Format.TRACECONTEXT, Format.B3), None),
    ],
)
def test_one_header_with_both_ids_is_known_by_what_stands_around_them(
    inject: tuple[Format, ...], texts: tuple[bytes, ...] | None
) -> None:
    made = Propagator(extract=FORMATS, inject=inject).fast_settings
    assert around(made, 0, is_sampled=True) == texts
    way = RawFastPath(made)
    assert way._around[b"1"][0] is None  # until the first of its kind
    for number in range(3):
        trace_id, span_id = b"%032x" % (number + 1), b"%016x" % (number + 1)
        plain = (trace_id, span_id, b"1"), b"", None, inject[0], 0, None, None
        form = compiled(bytes, made, 0, is_sampled=True)
        assert way.write(plain) == form(trace_id, span_id, None, b"", None, None)
        assert way._around[b"1"][0] == texts
