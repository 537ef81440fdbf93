"""Every kind of value: what becomes of values at its edges, and its words for others, as in `values.txt`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_origin

from lab.texts import check_text
from pydantic import TypeAdapter, ValidationError

from proxy.settings import kinds, kubernetes_values
from proxy.settings.sections import console_values

VALUES: tuple[object, ...] = (
    None, True, False, "", " ", "x", " X ", 0, 1, -1, 1.5, 1.01, 2**31, 2**31 - 1, "1", "-1", "1e3", "0.5", "1.1",
    "nan", "65536", "250ms", "2 H", "64KiB", "1.5kb", "0.0001kb", "5x", "auto", " Off", "on", "none", "null",
    "Accept", "deny", "always_on", "always_off", "[a, b]", "[a", "a,b", "a, a", (), [], ["a"], ["a", 5], {"a": "b"},
    {"a": None}, {"a": {}}, {"a": True}, {1: "x"}, {f"h{number}": "x" for number in range(65)}, "a=b, c=d%20e", "=b",
    "Host=x", "a=b%0d", "a b", "a..b", "*.a", "*", "*.", "10.0.0.0/8", "10.0.0.1", "10.0.0.1:80", "10.0.0.0/33",
    "[::1]:80", "[::1]", "::1", ":80", "a:80", "a:0", "a:65536", "a:x", "a:1,a:1", "[a:1, b:2]", "a:1,",
    ["a:1", "off"], "unix:/a", "unix:a", "unix:///a", "unix:/", "unix:/" + "x" * 106, "unix:/" + "x" * 107,
    "http://a", "https://A/", "http://a:0", "http://a/x", "http://u:p@a", "http://a?x", "http://", "ftp://a",
    "http://[::1", "http://[::1]:1", "https://a:443/x/", "http://a/x y", "b3,Jaeger", "b4", "composite",
    "[TRACE, GET, GET]", "trace", "A" * 32, "A" * 33, "bare-lf", "bare-fl", "xray", "x-ray", "X-Sid", "Traceparent",
    "Content-Length", "/orders/{id}", "/a/{", "/files/*", "spiffe://a/b", "*.*.a", "x" * 7, "x" * 8, "x" * 256,
    "x" * 257, "x" * 512, "x" * 513, "~!" * 4, "/a\0", "100m", "1.5Gi", "a.b-c", "A/b:1", "a/b@c:1",
)  # fmt: skip

PARSERS: dict[str, Callable[[object], object]] = {
    **{name: TypeAdapter(kind).validate_python for name, kind in vars(kinds).items() if get_origin(kind) is Annotated},
    **{
        f"{module.__name__.rpartition('.')[2]}.{name}": parse
        for module in (console_values, kubernetes_values)
        for name, parse in vars(module).items()
        if name.startswith("parse_") and parse.__module__ == module.__name__
    },
}


def outcome(parse: Callable[[object], object], value: object) -> str:
    """With `…` for the value itself."""
    try:
        said = f"= {parse(value)!r}"
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        said = f"! {first.get('ctx', {}).get('error', first['msg'])}"
    except ValueError as error:
        said = f"! {error}"
    for shown in (value, value.strip(), value.strip().lower()) if isinstance(value, str) else ():
        said = said.replace(repr(shown), "…")
    return said


def ends(said: str) -> list[float]:
    """Of a range that is told, its ends, and what is next to them."""
    found = re.search(r"expected ([\d.,]+) to ([\d.,]*\d)", said)
    if found is None:
        return []
    low, high = (float(end.replace(",", "")) for end in found.groups())
    return [low, low - (0.0005 if low % 1 else 1), high, high + 1]


def test_each_kind_takes_and_refuses_what_was_reviewed() -> None:
    """What most values become is the last line of a kind, without them."""
    lines: list[str] = []
    for name, parse in PARSERS.items():
        by_outcome: dict[str, list[str]] = {}
        said = [outcome(parse, value) for value in VALUES]
        values = [*VALUES, *sorted({end for one in said for end in ends(one)})]
        for value in values:
            shown = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:20]}… ({len(str(value))})"
            by_outcome.setdefault(outcome(parse, value), []).append(shown)
        usual = max(by_outcome, key=lambda one: len(by_outcome[one]))
        lines += ["", name]
        lines += [f"  {' | '.join(shown)} {one}"[:400] for one, shown in by_outcome.items() if one != usual]
        lines.append(f"  … {usual}")
    check_text("\n".join([*lines[1:], ""]), Path(__file__).parent / "values.txt")
