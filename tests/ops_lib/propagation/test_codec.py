"""What every format promises by its Codec, whichever there are."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from ops_lib.propagation import (
    ALL_TRAITS,
    FORMATS,
    KNOWN_FORMATS,
    NOTHING,
    Extraction,
    Format,
    Loss,
    Malformed,
    PlainForm,
    Propagator,
    RawFastPath,
    Sampling,
    TraceContext,
    codec_of,
    context_of,
)
from ops_lib.propagation.context import Headers, Losses, policy
from ops_lib.propagation.fast.forms import sample
from ops_lib.propagation.fast.shapes import pattern_of
from ops_lib.propagation.registry import CODECS

KINDS = list(itertools.product(range(ALL_TRAITS + 1), [True, False]))
IS_PLAIN = {codec.format for codec in CODECS if codec.plain is not None}


def every_context() -> list[TraceContext]:
    """One of each kind: all traits, decisions and ids that were made up."""
    return [
        sample(traits)._replace(sampling=sampling, made_up=made_up)
        for traits in range(ALL_TRAITS + 1)
        for sampling in Sampling
        for made_up in (False, True)
    ]


def test_no_two_formats_share_a_name_or_a_header() -> None:
    assert len(set(KNOWN_FORMATS)) == len(CODECS)
    headers = [name for codec in CODECS for name in codec.names]
    assert len(headers) == len(set(headers))


@pytest.mark.parametrize("format", KNOWN_FORMATS)
@pytest.mark.parametrize("lossless", [True, False])
def test_a_format_writes_and_loses_only_what_it_declares(format: Format, lossless: bool) -> None:
    codec = codec_of(format)
    for context in every_context():
        headers: Headers = []
        losses: Losses = []
        codec.inject(context, policy(1.0, lossless), headers, losses)
        assert {name for name, _ in headers} <= set(codec.writes)
        assert len({name for name, _ in headers}) == len(headers)
        assert {who for who, _ in losses} <= {format}
        undeclared = {what for _, what in losses} - codec.cannot_say
        assert not undeclared or (undeclared == {Loss.PARENT} and context.sampling is Sampling.DEFER)


@pytest.mark.parametrize("format", KNOWN_FORMATS)
def test_a_bare_decision_is_written_in_its_own_headers(format: Format) -> None:
    codec = codec_of(format)
    if codec.inject_decision is None:
        return
    for decision in (Sampling.DENY, Sampling.ACCEPT, Sampling.DEBUG):
        headers: Headers = []
        codec.inject_decision(decision, headers)
        assert {name for name, _ in headers} <= set(codec.writes)
        assert codec.extract({name.lower(): [value] for name, value in headers}) == (decision, None)


@pytest.mark.parametrize("format", KNOWN_FORMATS)
def test_any_of_its_headers_alone_is_read_without_an_error(format: Format) -> None:
    codec = codec_of(format)
    for count in (1, 2):
        for names in itertools.combinations(sorted(codec.names), count):
            what, reason = codec.extract({name: [""] for name in names})
            assert what is None
            assert reason is None or isinstance(reason, Malformed)


@pytest.mark.parametrize("format", sorted(IS_PLAIN))
def test_a_plain_form_has_its_parts_in_order(format: Format) -> None:
    form = codec_of(format).plain
    assert isinstance(form, PlainForm)
    for names, pattern in form.reads:
        assert set(names) <= codec_of(format).names
        order = [part for part in ("<trace_id", "<span_id>", "<sampled>", "<flags>", "<parent_id>") if part in pattern]
        assert [pattern.index(part) for part in order] == sorted(pattern.index(part) for part in order)
        assert len(order) in (3, 4)
        assert "(?P<trace_id>" in pattern_of([pattern])


def headers_of(format: Format, context: TraceContext) -> list[tuple[str, str]]:
    return list(Propagator(inject=(format,)).inject(NOTHING, context=context).headers)


def lowered(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names as anyone may compare them: how they are spelled depends on what they are written into."""
    return [(name.lower(), value) for name, value in headers]


def same_both_ways(propagator: Propagator, carrier: Any) -> bool:
    """By the fast path or in full, the same is read and written. Returns whether the fast path was taken."""
    full = propagator.extract(propagator.fields(carrier))
    read = propagator.read(carrier)
    if isinstance(read, Extraction):
        assert read == full
        return False
    assert propagator.fast_path is not None
    assert (context_of(read), read[3]) == (full.context, full.winner)
    injection = propagator.inject(full)
    written: dict[str, str] = {}
    if not propagator.fast_path.write_into(written, read, read[2], read[6]):
        assert not written
        return False
    assert lowered(written.items()) == lowered(injection.headers)
    assert propagator.losses_of(read[4]) == injection.losses
    return True


def same_in_bytes(propagator: Propagator, headers: list[tuple[str, str]]) -> bool:
    """The same of pairs of bytes, as the sidecar has them."""
    if propagator.fast_path is None:
        return False
    path = RawFastPath(propagator.fast_settings)
    names, values = zip(*((name.encode(), value.encode()) for name, value in headers), strict=True)
    plain = path.read(names, values)
    written = path.write(plain) if plain is not None else None
    if written is None:
        return False
    injection = propagator.inject(propagator.extract(propagator.fields(headers)))
    assert [(name.decode(), value.decode()) for name, value in written] == list(injection.headers)
    return True


@pytest.mark.parametrize("sender", KNOWN_FORMATS)
@pytest.mark.parametrize("to", KNOWN_FORMATS)
def test_the_fast_path_takes_every_plain_kind_and_says_what_the_full_path_says(sender: Format, to: Format) -> None:
    propagator = Propagator(extract=KNOWN_FORMATS, inject=(to,))
    for traits, is_sampled in KINDS:
        headers = headers_of(sender, sample(traits, 1, is_sampled=is_sampled))
        is_plain = {sender, to} <= IS_PLAIN and not any("ops=" in value for _, value in headers)
        for carrier in (dict(headers), headers, [(name.encode(), value.encode()) for name, value in headers]):
            assert same_both_ways(propagator, carrier) is is_plain, (headers, to)
        assert same_in_bytes(propagator, headers) is is_plain


@pytest.mark.slow
@pytest.mark.parametrize("one", KNOWN_FORMATS)
@pytest.mark.parametrize("other", KNOWN_FORMATS)
def test_two_formats_at_once_are_read_alike_both_ways(one: Format, other: Format) -> None:
    """Where they say the same, say more than each other, or quarrel."""
    for traits, more in itertools.product((0, 2, 4, 8), repeat=2):
        for number, is_sampled in ((0, True), (0, False), (1, True)):
            headers = dict(headers_of(one, sample(traits))) | dict(
                headers_of(other, sample(more, number, is_sampled=is_sampled))
            )
            for order in (KNOWN_FORMATS, KNOWN_FORMATS[::-1]):
                propagator = Propagator(extract=order, inject=FORMATS)
                assert same_both_ways(propagator, headers) is same_in_bytes(propagator, list(headers.items()))
