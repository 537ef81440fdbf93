"""The propagator: every vector read and written, and the rules of its own."""

import threading

import pytest

from ops_lib.propagation import (
    FORMATS,
    NOTHING,
    Baggage,
    Extraction,
    Format,
    Loss,
    Malformed,
    Member,
    Propagator,
    Sampling,
    TraceContext,
    child,
    fields,
    parse_formats,
)
from tests.vectors.rows import Row, load, random_bits, seen

ROWS = load()
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
CONTEXT = TraceContext(TRACE_ID, SPAN_ID, Sampling.ACCEPT)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_vector_is_read(row: Row) -> None:
    propagator = Propagator(**row.settings, random_bits=random_bits)
    extraction = propagator.extract(propagator.fields(row.headers))
    got = seen(extraction)
    expect = {"malformed": [], **row.expect}
    assert {key: got[key] for key in expect} == expect


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_vector_is_written(row: Row) -> None:
    for to, headers in row.out.items():
        propagator = Propagator(**{**row.settings, "inject": parse_formats(to)}, random_bits=random_bits)
        injection = propagator.inject(propagator.extract(propagator.fields(row.headers)))
        assert list(injection.headers) == headers, to


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_losses_of_a_vector_are_counted(row: Row) -> None:
    if row.losses is None:
        return
    for to in parse_formats(row.settings.get("inject", FORMATS)):
        propagator = Propagator(**{**row.settings, "inject": (to,)}, random_bits=random_bits)
        injection = propagator.inject(propagator.extract(propagator.fields(row.headers)))
        assert sorted(what for _, what in injection.losses) == sorted(row.losses.get(to, [])), to


def test_there_are_vectors_for_every_format() -> None:
    winners = {row.expect.get("winner") for row in ROWS}
    assert winners >= set(FORMATS)
    assert len(ROWS) > 300


def test_nothing_in_is_the_one_constant() -> None:
    assert Propagator().extract({}) is NOTHING
    assert Extraction() == NOTHING


def test_says_holds_what_each_format_said_in_order() -> None:
    headers = [("b3", "0"), ("traceparent", "nonsense"), ("uber-trace-id", f"{TRACE_ID}:{SPAN_ID}:0:1")]
    says = Propagator().extract(fields(headers)).says
    assert [(said.format, said.malformed) for said in says] == [
        ("tracecontext", "shape"),
        ("b3", None),
        ("jaeger", None),
    ]
    assert says[1].what is Sampling.DENY
    assert says[2].what == CONTEXT


def test_context_overrides_the_extracted_one() -> None:
    propagator = Propagator(inject=(Format.B3,))
    extraction = propagator.extract(fields({"b3": f"{TRACE_ID}-{SPAN_ID}-1-{SPAN_ID}", "mirascope-session-id": "s"}))
    assert extraction.context is not None
    injection = propagator.inject(extraction, context=child(extraction.context, "1234567890abcdef"))
    assert injection.headers == (("b3", f"{TRACE_ID}-1234567890abcdef-1"), ("X-Mirascope-Session-Id", "s"))
    assert injection.context is not None
    assert injection.context.parent_id is None


def test_context_of_a_program_needs_no_extraction() -> None:
    injection = Propagator().inject(NOTHING, context=CONTEXT)
    assert injection.headers == (("traceparent", f"00-{TRACE_ID}-{SPAN_ID}-01"),)
    assert injection.formats == (Format.TRACECONTEXT,)


@pytest.mark.parametrize("formats", [*((f,) for f in FORMATS), FORMATS])
def test_a_deferred_made_up_context_never_fails(formats: tuple[Format, ...]) -> None:
    """No reader gives one, but a program may hand it in."""
    made_up = CONTEXT._replace(sampling=Sampling.DEFER, made_up=True)
    assert Propagator(inject=formats).inject(NOTHING, context=made_up).headers


def test_session_header_can_be_left_out() -> None:
    propagator = Propagator(session_inject="")
    extraction = propagator.extract(fields({"Mirascope-Session-Id": "s"}))
    assert extraction.session == "s"
    assert propagator.inject(extraction).headers == ()


def test_injecting_nothing_strips() -> None:
    propagator = Propagator(inject=())
    assert propagator.inject(NOTHING, context=CONTEXT).headers == ()


OWNED = [
    "traceparent", "Tracestate", "B3", "x-b3-traceid", "X-B3-SpanId", "X-B3-PARENTSPANID", "X-B3-Sampled", "X-B3-Flags",
    "uber-trace-id", "Jaeger-Debug-Id", "jaeger-baggage", "uberctx-a", "UBERCTX-User-Id", "baggage",
    "X-Mirascope-Session-Id", "mirascope-session-id",
    "X_B3_TraceId", "x_b3-traceid", "UBER_TRACE_ID", "uberctx_a", "X_MIRASCOPE_SESSION_ID", "jaeger_debug_id",
]  # fmt: skip


@pytest.mark.parametrize("name", OWNED)
def test_every_known_header_is_owned_whatever_is_configured(name: str) -> None:
    """Also those of formats that are neither extracted nor injected: a foreign story must not leave beside ours."""
    assert Propagator(extract=(Format.TRACECONTEXT,), inject=(Format.TRACECONTEXT,)).owns(name)


@pytest.mark.parametrize("name", ["Host", "X-B3", "b3x", "trace-parent", "X-Request-Id", "uberctx", "x-uberctx-a", ""])
def test_other_headers_are_not_owned(name: str) -> None:
    assert not Propagator().owns(name)


def test_owned_session_names_follow_the_settings() -> None:
    propagator = Propagator(session_inject="X-Sess", session_extract=("X-Old-Session",))
    assert all(propagator.owns(name) for name in ("x-sess", "X_SESS", "x-old-session"))
    assert propagator.owns("X-Mirascope-Session-Id")  # else a second story would pass


def test_baggage_that_passes_is_not_owned() -> None:
    passing = Propagator(baggage="pass")
    assert not any(passing.owns(name) for name in ("baggage", "uberctx-a", "jaeger-baggage"))
    assert passing.inject(passing.extract(fields({"baggage": "a=1", "uberctx-b": "2"}))).headers == ()
    bridged = Propagator(baggage="pass", session_bridge=True)
    assert bridged.owns("baggage")
    assert not bridged.owns("uberctx-a")


def test_baggage_that_is_dropped_is_owned() -> None:
    assert all(Propagator(baggage="drop").owns(name) for name in ("baggage", "uberctx-a", "jaeger-baggage"))


def test_baggage_of_a_program_is_written() -> None:
    extraction = Extraction(baggage=Baggage((Member("a", "1"),)))
    assert Propagator().inject(extraction).headers == (("baggage", "a=1"),)


def test_losses_name_the_format_that_could_not_say_it() -> None:
    context = CONTEXT._replace(sampling=Sampling.DEFER, tracestate="a=1", random=True, parent_id=SPAN_ID)
    losses = Propagator(inject=FORMATS).inject(NOTHING, context=context).losses
    assert set(losses) == {
        (Format.TRACECONTEXT, Loss.DEFER),
        (Format.TRACECONTEXT, Loss.PARENT),
        (Format.B3, Loss.PARENT),
        (Format.B3, Loss.TRACESTATE),
        (Format.B3, Loss.RANDOM),
        (Format.B3MULTI, Loss.TRACESTATE),
        (Format.B3MULTI, Loss.RANDOM),
        (Format.JAEGER, Loss.DEFER),
        (Format.JAEGER, Loss.PARENT),
        (Format.JAEGER, Loss.TRACESTATE),
        (Format.JAEGER, Loss.RANDOM),
    }


def test_may_be_shared_between_threads() -> None:
    propagator = Propagator(inject=FORMATS)
    headers = fields({"b3": f"{TRACE_ID}-{SPAN_ID}-1"})
    results: list[tuple[tuple[str, str], ...]] = []

    def work() -> None:
        results.extend(propagator.inject(propagator.extract(headers)).headers for _ in range(200))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 800
    assert len(set(results)) == 1


def test_a_dict_is_read_the_same_again_and_again() -> None:
    """Names that are not ours are remembered; nothing else may change by that."""
    propagator = Propagator()
    headers = {"Accept": "*/*", "X-B3-TraceId": TRACE_ID, "X-B3-SpanId": SPAN_ID, "uberctx-User": "a", "Cookie": "b3"}
    first = propagator.fields(headers)
    assert first == {"x-b3-traceid": [TRACE_ID], "x-b3-spanid": [SPAN_ID], "uberctx-user": ["a"]}
    assert all(propagator.fields(headers) == first for _ in range(3))
    assert propagator.fields({"Accept": "*/*", "B3": "0", "b3": "1"}) == {"b3": ["0", "1"]}
    assert propagator.fields({"Accept": "*/*", "b3": [b"0", "1"], 7: "x", b"B3": b"d"}) == {"b3": ["0", "1", "d"]}
    assert propagator.fields({"Accept": "*/*"}) == {}


def test_what_is_remembered_of_strangers_is_bounded() -> None:
    """A peer that sends ever new names fills no memory, and is read all the same."""
    propagator = Propagator()
    for n in range(5000):
        headers = {f"x-new-{n}": "1", f"uberctx-{n}": "2"}
        baggage = propagator.extract(propagator.fields(headers)).baggage
        assert baggage is not None
        assert baggage.members == (Member(str(n), "2"),)
    propagator.extract(propagator.fields({"x-" + "n" * 9000: "1", "uberctx-" + "n" * 9000: "2"}))
    assert len("".join(propagator._reader.strangers)) <= 1024 * 64
    assert len("".join("".join(names) for names in propagator._present)) <= 256 * 1024
    assert propagator.fields({"b3": "0", "x-newer": "1"}) == {"b3": ["0"]}


@pytest.mark.parametrize(("length", "is_too_long"), [(512, False), (513, True)])
def test_a_binary_context_is_read_up_to_512_characters(length: int, is_too_long: bool) -> None:
    read = Propagator(extract=parse_formats("grpc-trace-bin")).extract({"grpc-trace-bin": ["A" * length]})
    assert [why is Malformed.TOO_LONG for _, why in read.malformed] == [is_too_long]
