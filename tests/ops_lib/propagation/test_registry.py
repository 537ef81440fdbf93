"""Names of formats, as people write them."""

import pytest

from ops_lib.propagation import FORMATS, Format, UnknownFormatError, parse_formats


@pytest.mark.parametrize(
    ("names", "want"),
    [
        ("b3,tracecontext", (Format.B3, Format.TRACECONTEXT)),
        (" B3 , TraceContext ", (Format.B3, Format.TRACECONTEXT)),
        ("composite", FORMATS),
        ("jaeger,composite", (Format.JAEGER, Format.TRACECONTEXT, Format.B3, Format.B3MULTI)),
        (["b3multi", "b3multi"], (Format.B3MULTI,)),
        ([Format.JAEGER], (Format.JAEGER,)),
        (["COMPOSITE"], FORMATS),
        ("", ()),
        ([], ()),
        ("b3,,", (Format.B3,)),
    ],
)
def test_parse(names: str | list[str], want: tuple[Format, ...]) -> None:
    assert parse_formats(names) == want


@pytest.mark.parametrize("names", ["zipkin", "b3,zipkin", ["zipkin"], [""], ["b3,jaeger"]])
def test_an_unknown_name_is_an_error_that_lists_the_right_ones(names: str | list[str]) -> None:
    with pytest.raises(
        UnknownFormatError, match=r"tracecontext, grpc-trace-bin, b3, b3multi, jaeger, composite"
    ) as error:
        parse_formats(names)
    assert isinstance(error.value, ValueError)


def test_the_message_names_the_wrong_one() -> None:
    with pytest.raises(UnknownFormatError, match="'zipkin'"):
        parse_formats("b3,zipkin")


@pytest.mark.parametrize(
    ("others", "meant"),
    [
        ("w3c traceparent trace-context trace_context tracestate otel opentelemetry", "tracecontext"),
        ("zipkin brave x-b3", "b3 or b3multi"),
        ("b3single b3-single b3_single", "b3"),
        ("b3-multi b3_multi multi", "b3multi"),
        ("uber uber-trace-id jaegertracing", "jaeger"),
        ("grpc grpc_trace_bin opencensus oc binary", "grpc-trace-bin"),
        ("all any every *", "composite"),
        ("jeager", "jaeger"),
    ],
)
def test_other_names_are_told_what_they_mean(others: str, meant: str) -> None:
    for name in others.split():
        with pytest.raises(UnknownFormatError) as error:
            parse_formats(name)
        assert str(error.value).endswith(f"; did you mean {meant}?"), name
