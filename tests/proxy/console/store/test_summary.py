"""A trace's row, span by span: what its title, caller, notes and words are made of, and where each of them ends."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.console.intake.decode import SIDECAR_SCOPE
from proxy.console.intake.records import Source, Span
from proxy.console.store.summary import COLUMNS, Summary, as_list, format_names, read_summary

TRACE = bytes(15) + b"\x01"
NAMES = COLUMNS.split(", ")


def span(number: int, *, parent: int = 0, service: str = "shop", **more: Any) -> Span:
    made = {"name": f"work {number}", "started": 1000 * number, "ended": 1000 * number + 10, "scope": "app"} | more
    return Span(
        trace=TRACE,
        span=number.to_bytes(8, "big"),
        parent=parent.to_bytes(8, "big") if parent else b"",
        source=Source(b"", service),
        kind=made.pop("kind", 1),
        is_error=made.pop("is_error", False),
        session=made.pop("session", None),
        body=b"",
        **made,
    )


def row(*spans: Span) -> dict[str, Any]:
    summary = Summary(7, TRACE)
    for one in spans:
        summary.add(one)
    return dict(zip(NAMES, summary.columns(), strict=True))


def hop(**attributes: Any) -> Span:
    return span(1, scope=SIDECAR_SCOPE, attributes=attributes, links=attributes.pop("links", ()))


@pytest.mark.parametrize(
    ("name", "attributes", "title"),
    [
        ("GET", {}, "GET"),
        ("GET", {"http.route": "/orders/{id}", "url.path": "/orders/7"}, "GET /orders/{id}"),
        ("GET", {"url.path": "/orders/7"}, "GET /orders/7"),
        ("GET /orders", {"url.path": "/orders/7"}, "GET /orders"),
        ("GET", {"url.path": "/" + "x" * 294}, "GET /" + "x" * 294),
        ("GET", {"url.path": "/" + "x" * 296}, "GET /" + "x" * 295),
        ("a" * 301, {}, "a" * 300),
    ],
)
def test_a_title_is_the_name_with_its_path(name: str, attributes: dict[str, Any], title: str) -> None:
    assert row(span(1, name=name, attributes=attributes))["title"] == title


@pytest.mark.parametrize(
    ("attributes", "caller"),
    [
        ({}, None),
        ({"user_agent.original": "curl/8.5.0 x"}, "curl"),
        ({"user_agent.original": "curl/8.5.0", "client.address": "10.0.0.1"}, "curl"),
        ({"user_agent.original": "", "client.address": "10.0.0.1"}, "10.0.0.1"),
        ({"client.address": "10.0.0.1/8"}, "10.0.0.1/8"),
        ({"user_agent.original": "a" * 101}, "a" * 100),
        ({"client.address": "b" * 101}, "b" * 100),
    ],
)
def test_a_caller_is_its_program_or_its_address(attributes: dict[str, Any], caller: str | None) -> None:
    assert row(span(1, attributes=attributes))["caller"] == caller


@pytest.mark.parametrize(
    ("spans", "root"),
    [
        ((span(2, parent=1), span(1)), "work 1"),
        ((span(1), span(2, parent=1)), "work 1"),
        ((span(2), span(1)), "work 1"),
        ((span(1), span(2)), "work 1"),
        ((span(2, parent=9), span(1, parent=9)), "work 1"),
        ((span(1, parent=9), span(2, parent=9)), "work 1"),
        ((span(1, parent=9), span(2)), "work 2"),
        ((span(2), span(1, parent=9)), "work 2"),
        ((span(1, parent=9), span(2, parent=9, started=1000)), "work 2"),
        ((span(1), span(2, started=1000)), "work 1"),
    ],
)
def test_the_root_is_the_first_without_a_parent_else_the_first(spans: tuple[Span, ...], root: str) -> None:
    assert row(*spans)["root_name"] == root


def test_times_numbers_and_services_of_all_spans() -> None:
    made = row(
        span(2, parent=1, service="billing", is_error=True, session="s-1", ended=9000),
        span(1, session="s-2"),
        span(3, parent=2, service="billing", is_error=True),
    )
    assert (made["started"], made["ended"], made["spans"], made["errors"]) == (1000, 9000, 3, 2)
    assert (made["key"], made["trace"], made["items"]) == (7, TRACE, 0)
    assert (made["root_at"], made["root_service"], made["session"]) == (1000, "shop", "s-1")
    assert (made["services"], made["names"]) == ('[["billing", 2], ["shop", 1]]', "billing\nshop")
    assert row(span(1, parent=9))["root_at"] is None


def test_a_hundred_services_of_a_trace_are_named() -> None:
    made = row(*(span(number, service=f"S{number}") for number in range(1, 102)), span(102, service="S100"))
    assert made["names"].split("\n") == [f"s{number}" for number in range(1, 101)]
    assert '["S100", 2]' in made["services"]


@pytest.mark.parametrize(
    ("attributes", "notes"),
    [
        ({}, ""),
        ({"ops.malformed": ["b3"]}, " malformed "),
        ({"ops.link.method": "single"}, " linked "),
        ({"ops.carried_over": ["baggage"]}, " carry-over "),
        ({"links": ["conflict"]}, " conflict "),
        ({"links": ["restart"]}, ""),
        ({"links": ["conflict"], "ops.carried_over": [], "ops.malformed": []}, " malformed carry-over conflict "),
    ],
)
def test_notes_are_those_of_a_sidecars_spans(attributes: dict[str, Any], notes: str) -> None:
    assert row(hop(**dict(attributes)))["notes"] == notes
    assert row(span(1, attributes=attributes, links=attributes.get("links", ())))["notes"] == ""


def test_a_parent_that_has_not_come_is_a_gap_until_it_comes() -> None:
    assert row(span(2, parent=1))["notes"] == " gap "
    assert row(span(2, parent=1), span(1))["notes"] == ""
    assert row(span(1), span(2, parent=1))["notes"] == ""
    assert row(span(1), span(3, parent=2))["notes"] == " gap "


@pytest.mark.parametrize(("kind", "is_called"), [(0, False), (1, False), (2, True), (3, False), (4, False), (5, True)])
def test_the_caller_of_a_server_or_a_consumer_may_be_outside(kind: int, is_called: bool) -> None:
    """One such caller, where the trace has no root of its own."""
    assert row(span(2, parent=1, kind=kind))["notes"] == ("" if is_called else " gap ")
    assert row(span(2, parent=1, kind=kind), span(3, parent=1))["notes"] == " gap "
    assert row(span(2, parent=1, kind=kind), span(3, parent=1, kind=kind))["notes"] == ("" if is_called else " gap ")
    assert row(span(1, kind=kind), span(3, parent=2, kind=kind))["notes"] == " gap "
    assert row(span(3, parent=1, kind=kind), span(4, parent=2, kind=kind))["notes"] == " gap "


def test_formats_are_those_that_were_read_and_written() -> None:
    made = row(hop(**{"ops.formats.read": ["b3", "jaeger"], "ops.formats.written": ["tracecontext", "b3"]}))
    assert made["formats"] == " b3 jaeger tracecontext "
    assert row(span(1, attributes={"ops.formats.read": ["b3"]}))["formats"] == ""
    read, written = [f"r{number}" for number in range(10)], [f"w{number}" for number in range(10)]
    most = row(hop(**{"ops.formats.read": read, "ops.formats.written": written}))["formats"].split()
    assert most == [*read, *written[:6]]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, []),
        ("b3", []),
        ([], []),
        (["b3", "", 5, "a b", "a\tb", "jaeger"], ["b3", "jaeger"]),
        (["x" * 40, "y" * 41], ["x" * 40, "y" * 40]),
        ([f"f{number}" for number in range(17)], [f"f{number}" for number in range(16)]),
    ],
)
def test_formats_in_an_attribute(value: object, names: list[str]) -> None:
    assert format_names(value) == names


def test_a_bare_word_is_looked_for_in_names_and_notes() -> None:
    told = row(
        span(1, name="GET", session="Ann", attributes={"url.path": "/Orders", "user_agent.original": "Curl/8"}),
        span(3, parent=2, service="Billing"),
    )
    assert told["words"].split("\n") == [
        TRACE.hex(), "get", "get /orders", "curl", "ann", "shop", "billing", "gap",
    ]  # fmt: skip


def test_a_row_is_read_again() -> None:
    first = Summary(7, TRACE)
    for one in (hop(**{"ops.formats.read": ["b3"], "ops.malformed": []}), span(3, parent=2, service="billing")):
        first.add(one)
    again = read_summary(first.columns())
    assert (again.services, again.formats, again.notes) == (first.services, first.formats, {"malformed": None})
    assert (again.key, again.started, again.title, again.spans) == (7, 1000, first.title, 2)


def test_a_list_has_a_space_on_each_side_of_each_item() -> None:
    assert [as_list([]), as_list(["a"]), as_list(["a", "b"])] == ["", " a ", " a b "]
