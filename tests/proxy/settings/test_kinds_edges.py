"""Each kind of value at its edges: the numbers and words that docs/settings.md promises, copied here by hand."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ops_lib.propagation import Format
from proxy.path_templates import MAX_TEMPLATE_CHARACTERS
from proxy.settings import kinds

WEEK_S = 604_800
RANGES: tuple[tuple[str, float, float, float, str], ...] = (
    ("Seconds", 0.001, WEEK_S, 0.0001, "expected 0.001 to 604,800 s"),
    ("SecondsOrZero", 0, WEEK_S, 0.001, "expected 0 to 604,800 s"),
    ("StoreSeconds", 0, 316_224_000, 0.001, "expected 0 to 316,224,000 s"),
    ("Bytes", 256, 1_073_741_824, 1, "expected 256 to 1,073,741,824 bytes"),
    ("BytesOrZero", 0, 1_152_921_504_606_846_976, 256, "expected 0 to 1,152,921,504,606,846,976 bytes"),
    ("StoreBytes", 0, 17_592_186_044_416, 1, "expected 0 to 17,592,186,044,416 bytes"),
    ("Count", 1, 1_000_000, 1, "expected 1 to 1,000,000"),
    ("CountOrZero", 0, 1_000_000, 1, "expected 0 to 1,000,000"),
    ("Port", 1, 65_535, 1, "expected 1 to 65,535"),
    ("Lines", 100, 1_000_000, 1, "expected 100 to 1,000,000 lines"),
    ("Rate", 0, 1_000_000, 0.001, "expected 0 to 1,000,000 a second"),
)


def read(kind: str, value: object) -> Any:
    return TypeAdapter(getattr(kinds, kind)).validate_python(value)


def told(kind: str, value: object) -> str:
    """Why it is refused."""
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    return str(caught.value)


@pytest.mark.parametrize(("kind", "low", "high", "step", "words"), RANGES, ids=[one[0] for one in RANGES])
def test_a_range_has_both_of_its_edges_and_nothing_beyond(
    kind: str, low: float, high: float, step: float, words: str
) -> None:
    assert (read(kind, low), read(kind, high)) == (low, high)
    assert words in told(kind, high + step)
    if low:
        assert words in told(kind, low - step)
    else:
        told(kind, -step)  # a number has no sign here


def test_auto_is_a_word_beside_the_seconds() -> None:
    assert [read("SecondsOrAuto", one) for one in ("auto", " AUTO ", 0, WEEK_S)] == ["auto", "auto", 0, WEEK_S]
    assert "expected 0 to 604,800 s, or auto" in told("SecondsOrAuto", WEEK_S + 1)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("250ms", 0.25), ("10s", 10), ("5m", 300), ("1h", 3600), ("1d", 86_400), ("7d", WEEK_S), ("1.5", 1.5)],
)
def test_seconds_have_units(written: str, seconds: float) -> None:
    assert read("Seconds", written) == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [("512B", 512), ("1KiB", 1024), ("2MiB", 2_097_152), ("1GiB", 1_073_741_824), ("1KB", 1000), ("10MB", 10_000_000)],
)
def test_bytes_have_units(written: str, size: int) -> None:
    assert read("Bytes", written) == size


@pytest.mark.parametrize("word", ["bare-lf", "obs-fold", "equal-lengths", "head-framing", "many-fields"])
def test_each_leniency_is_known(word: str) -> None:
    assert read("Leniencies", [word, word]) == (word,)
    assert f"did you mean {word}?" in told("Leniencies", [word[:-1]])
    assert word in told("Leniencies", 5)


def test_other_leniencies_are_not() -> None:
    assert read("Leniencies", "bare-lf,obs-fold") == ("bare-lf", "obs-fold")
    assert read("Leniencies", []) == ()
    assert "expected a list of bare-lf," in told("Leniencies", ["bare-lf", 5])
    assert "'xyz' is not known: expected some of bare-lf," in told("Leniencies", ["bare-lf", "xyz"])
    assert "did you mean" not in told("Leniencies", ["xyz"])


@pytest.mark.parametrize("format", ["tracecontext", "grpc-trace-bin", "b3", "b3multi", "jaeger"])
def test_each_format_is_known(format: str) -> None:
    assert read("Formats", format) == (Format(format),)
    assert format in told("Formats", "nothing-like-it")
    assert format in told("Formats", [])


def test_composite_is_what_is_read_by_default() -> None:
    assert [str(one) for one in read("Formats", "composite")] == ["tracecontext", "b3", "b3multi", "jaeger"]


@pytest.mark.parametrize("value", ["caller.internal", "*.internal", "spiffe://mesh/ns/shop", "x" * 512])
def test_names_of_certificates(value: str) -> None:
    assert read("CertificateNames", [f" {value.upper()} "]) == (value,)


@pytest.mark.parametrize(
    "value", ["", "x" * 513, "a b", "a\tb", "a\nb", "*", "*.", "a.*", "*.a.*", "*a", "**.a", 5, None]
)
def test_what_is_not_the_name_of_a_certificate(value: object) -> None:
    assert "expected a name as in a certificate: caller.internal, *.internal, or spiffe" in told(
        "CertificateNames", [value]
    )


@pytest.mark.parametrize("value", ["GET", ["TRACE", "X-Y"], "GET, PUT,GET"])
def test_methods(value: object) -> None:
    assert read("Methods", value) == {"GET": ("GET",), "GET, PUT,GET": ("GET", "PUT")}.get(str(value), ("TRACE", "X-Y"))


@pytest.mark.parametrize("value", ["get", "G T", ["GET", "p"], 5, [5]])
def test_what_is_not_a_method(value: object) -> None:
    assert ("such as TRACE" if not isinstance(value, int) and value != [5] else "[] for none") in told("Methods", value)


def test_templates_have_bounds() -> None:
    assert len(read("PathTemplates", [f"/{number}" for number in range(256)])) == 256
    told("PathTemplates", [f"/{number}" for number in range(257)])
    assert MAX_TEMPLATE_CHARACTERS == 256
    assert read("PathTemplates", ["/" + "x" * 255])
    told("PathTemplates", ["/" + "x" * 256])


def test_a_ratio_is_from_nothing_to_all() -> None:
    assert [read("Ratio", one) for one in (0, 1, 0.5, "0.25")] == [0, 1, 0.5, 0.25]
    for value in (-0.001, 1.001, "x", True, None):
        told("Ratio", value)


@pytest.mark.parametrize(("value", "read_as"), [(True, True), (False, False), ("auto", "auto"), ("true", True)])
def test_a_switch(value: object, read_as: object) -> None:
    assert read("Switch", value) == read_as
