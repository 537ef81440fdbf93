"""The filter's words one by one, its units, and where it ends."""

from __future__ import annotations

import pytest

from proxy.console.filter.terms import Term, read_duration, read_filter, status_pattern

KEYS = [
    "format",
    "in",
    "out",
    "host",
    "from",
    "to",
    "service",
    "status",
    "dur",
    "method",
    "path",
    "session",
    "trace",
    "is",
]


@pytest.mark.parametrize("key", KEYS)
def test_each_key(key: str) -> None:
    value = {"status": "5xx", "dur": "5ms"}.get(key, "x")
    assert read_filter(f"{key.upper()}:{value}").terms == (Term(key, (value,)),)
    assert read_filter(f"-{key}:{value}").terms == (Term(key, (value,), True),)
    assert key in (read_filter("colour:red").error or "")


def test_a_mistake_is_left_out_and_the_first_is_told() -> None:
    found = read_filter("colour:red dur:soon a status:bad")
    assert found.terms == (Term("", ("a",)),)
    assert found.error == f"There is no key “colour”. Known: {', '.join(KEYS)}."
    assert read_filter("dur:soon").error == "“soon” is not a duration. Try dur:>200ms."
    assert read_filter("status:bad").error == "“bad” is not a status. Try status:5xx or status:error."


@pytest.mark.parametrize(
    ("text", "relation", "ms"),
    [
        ("5us", ">=", 0.005), ("5ms", ">=", 5), ("5s", ">=", 5000), ("5m", ">=", 300_000), ("5", ">=", 5),
        (">1.5s", ">", 1500), (">=1s", ">=", 1000), ("<2m", "<", 120_000), ("<=0.5ms", "<=", 0.5),
    ],
)  # fmt: skip
def test_a_duration(text: str, relation: str, ms: float) -> None:
    assert read_duration(text) == (relation, ms)


@pytest.mark.parametrize("text", ["", "ms", "5h", "=5", ">", "1.", ".5", "5 ms", "-5", "5msx"])
def test_what_is_no_duration(text: str) -> None:
    assert read_duration(text) is None


@pytest.mark.parametrize("status", ["200", "5xx", "xxx", "40x", "error", "ok", "cut"])
def test_a_status(status: str) -> None:
    assert read_filter(f"status:{status}").terms == (Term("status", (status,)),)
    assert status_pattern("5xx") == "5__"


@pytest.mark.parametrize("status", ["20", "2000", "errors", "2yy", "cutx"])
def test_what_is_no_status(status: str) -> None:
    assert read_filter(f"status:{status}").terms == ()


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("  ", ()),
        ("-", (Term("", ("-",)),)),
        ("-a", (Term("", ("a",), True),)),
        ('"a b" c', (Term("", ("a b",)), Term("", ("c",)))),
        ('path:"/a b"', (Term("path", ("/a b",)),)),
        ("host:a,b,,c", (Term("host", ("a", "b", "c")),)),
        ("host:", ()),
        ("host:,", ()),
        ("format:w3c,multi,b3", (Term("format", ("tracecontext", "b3multi", "b3")),)),
        ("in:w3c out:multi", (Term("in", ("tracecontext",)), Term("out", ("b3multi",)))),
        ("host:w3c", (Term("host", ("w3c",)),)),
        ("http://a", ()),
        ("10.0.0.1:80", (Term("", ("10.0.0.1:80",)),)),
        ('""', ()),
    ],
)
def test_terms(text: str, terms: tuple[Term, ...]) -> None:
    assert read_filter(text).terms == terms


def test_a_thousand_characters_are_read() -> None:
    assert read_filter("x" * 1000).terms == (Term("", ("x" * 1000,)),)
    found = read_filter("x" * 1001)
    assert found == ((), "The filter has 1,001 characters. It may have 1,000.")


def test_twenty_terms_count() -> None:
    assert read_filter(" ".join(f"t{number}" for number in range(20))).error is None
    found = read_filter(" ".join(f"t{number}" for number in range(21)))
    assert found.error == "The filter has 21 terms. The first 20 count."
    assert [term.values[0] for term in found.terms] == [f"t{number}" for number in range(20)]
