"""A sidecar's span as a row: each attribute, and what a stranger could say in its place."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.console.intake.records import Source, Span
from proxy.console.store.open import Place, open_store
from proxy.console.store.requests import COLUMNS, put_request, read_row, row_of_span


def row(kind: int = 2, links: tuple[str, ...] = (), session: str | None = None, **said: Any) -> dict[str, Any]:
    attributes = {key.replace("__", "."): value for key, value in said.items()}
    return row_of_span(
        Span(b"\x01" * 16, b"\x02" * 8, b"", Source(b"", "shop"), "ops-sidecar", "GET", kind, 2_000_000, 5_500_000,
             False, session, b"", attributes, links)
    )  # fmt: skip


USUAL = {
    "http__request__method": "GET", "url__path": "/orders", "http__response__status_code": 200,
    "ops__formats__read": ["b3", "jaeger"], "ops__formats__written": ["tracecontext"], "ops__upstream": "app",
    "client__address": "10.0.0.1",
}  # fmt: skip


def test_a_row_has_what_the_span_says() -> None:
    assert row(**USUAL, session="s-1") == {
        "id": "r_" + "02" * 8, "at": 2.0, "sidecar": "shop", "leg": "in", "from": "10.0.0.1", "to": "shop",
        "method": "GET", "target": "/orders", "status": 200, "fault": None, "ms": 3.5, "in": ["b3", "jaeger"],
        "out": ["tracecontext"], "winner": "b3", "trace": "01" * 16, "span": "02" * 8, "sampling": "accept",
        "short": False, "session": "s-1", "notes": [], "probe": False, "retries": 0,
    }  # fmt: skip


@pytest.mark.parametrize("kind", [0, 1, 3, 4, 5])
def test_any_but_a_server_went_out(kind: int) -> None:
    made = row(kind, **USUAL)
    assert (made["leg"], made["from"], made["to"]) == ("out", "shop", "app")
    assert row(kind, server__address="b")["to"] == "b"
    assert row(kind, ops__upstream="bank", server__address="b")["to"] == "bank"


@pytest.mark.parametrize(
    ("said", "notes"),
    [
        ({"ops__malformed": ["b3"]}, ["malformed"]), ({"ops__malformed": []}, []),
        ({"http__request__resend_count": 1}, ["retry"]), ({"ops__link__method": "single"}, ["linked"]),
        ({"ops__carried_over": []}, ["carry-over"]),
        ({"ops__malformed": ["b3"], "http__request__resend_count": 1, "ops__link__method": "x",
          "ops__carried_over": []}, ["malformed", "retry", "linked", "carry-over"]),
    ],
)  # fmt: skip
def test_notes(said: dict[str, Any], notes: list[str]) -> None:
    assert row(**said)["notes"] == notes
    assert row(**said, links=("conflict",))["notes"] == [*notes, "conflict"]
    assert row(**said, links=("restart",))["notes"] == notes


@pytest.mark.parametrize(
    ("error", "fault"), [(None, None), ("", None), ("500", None), ("connect-timeout", "connect-timeout"), (5, None)]
)
def test_a_fault_is_an_error_that_is_no_status(error: object, fault: str | None) -> None:
    assert row(error__type=error)["fault"] == fault


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ({}, "/"), ({"url__path": "/a"}, "/a"), ({"url__path": "/a", "url__full": "http://b/c"}, "/a"),
        ({"url__full": "http://b/c?d=e"}, "/c"), ({"url__full": "http://b"}, "/"), ({"url__full": "http://b?x"}, "/"),
        ({"url__full": "unix:///c?d"}, "/c"),
        ({"url__full": "/c"}, "/"), ({"url__path": "/" + "x" * 2048}, "/" + "x" * 2047), ({"url__path": 5}, "/"),
    ],
)  # fmt: skip
def test_a_target(said: dict[str, Any], target: str) -> None:
    assert row(**said)["target"] == target


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/livez", "/health", "/ready", "/live", "/metrics", "/ping", "/-/healthy", "/-/ready"],
)
def test_each_path_of_a_probe(path: str) -> None:
    assert row(url__path=path)["probe"] is True
    assert row(url__path=path + "x")["probe"] is False


def test_so_is_what_a_prober_asks_for() -> None:
    assert row(url__path="/", user_agent__original="kube-probe/1.31")["probe"] is True
    assert row(url__path="/", user_agent__original="curl/8.5.0")["probe"] is False


@pytest.mark.parametrize(
    ("count", "read"),
    [(0, 0), (3, 3), ((1 << 31) - 1, (1 << 31) - 1), (1 << 31, None), (-1, None), ("3", None), (True, None)],
)
def test_numbers_of_strangers(count: object, read: int | None) -> None:
    assert row(http__response__status_code=count)["status"] == read
    assert row(http__request__resend_count=count)["retries"] == (read or 0)


def test_the_methods_own_spelling_comes_first() -> None:
    assert row(http__request__method="_OTHER", http__request__method_original="get")["method"] == "get"
    assert row()["method"] == ""
    assert row()["winner"] is None


FULL: dict[str, Any] = {
    "id": "r-1", "at": 2.5, "sidecar": "shop", "leg": "out", "from": "web", "to": "bank", "method": "GET",
    "target": "/orders", "status": 503, "fault": "reset", "ms": 1.5, "in": ["b3", "jaeger"], "out": ["tracecontext"],
    "winner": "b3", "trace": "01" * 16, "span": "02" * 8, "sampling": "deny", "short": True, "session": "Ann",
    "notes": ["gap", "retry"], "probe": True, "retries": 2,
}  # fmt: skip
EMPTY = FULL | {
    "from": "", "to": "", "status": None, "fault": None, "in": [], "out": [], "winner": None, "trace": None,
    "span": None, "sampling": None, "short": False, "session": None, "notes": [], "probe": False, "retries": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (FULL, ["r-1", "get", "/orders", "web", "bank", "01" * 16, "ann", "reset", "gap", "retry"]),
        (EMPTY, ["r-1", "get", "/orders"]),
    ],
)
def test_a_row_is_read_as_it_was_kept(kept: dict[str, Any], words: list[str]) -> None:
    """With the words that a filter without a key looks for."""
    connection = open_store(Place(None, 1 << 30))
    assert put_request(connection, kept)
    assert not put_request(connection, kept | {"status": 1})  # a span does not replace what is there
    assert read_row(connection.execute(f"SELECT {COLUMNS} FROM requests").fetchone()) == kept
    assert connection.execute("SELECT words FROM requests").fetchone() == ("\n".join(words),)
    assert put_request(connection, kept | {"status": 200}, {"report": {}})  # a report does
    assert connection.execute("SELECT status FROM requests").fetchall() == [(200,)]
    connection.close()
