"""A reported exchange as a row: each word of its lists, tried one by one against a copy made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.console.intake.reports import Report, Sender
from proxy.console.store.exchanges import is_probe, is_refused, row_of, text, texts

SENDER = Sender("i-1", "shop", "node-1", "host", "1.0", False)
USUAL = {
    "ops.request.id": "r-1",
    "ops.leg": "in",
    "http.request.method": "GET",
    "url.path": "/orders",
    "http.response.status_code": 200,
    "ops.duration_us": 1500,
    "ops.formats.read": ["b3", "jaeger!shape", "tracecontext^", "b3multi?"],
    "ops.formats.written": ["tracecontext"],
    "ops.winner": "b3",
    "ops.sampling": "accept",
    "ops.upstream": "app",
}


def row(names: dict[str, str] | None = None, /, **more: Any) -> dict[str, Any]:
    said = {**USUAL, **{key.replace("__", "."): value for key, value in more.items()}}
    made = row_of(Report("exchange", SENDER, 2_000_000, 0, said, b"\x01" * 16, b"\x02" * 8), names or {})
    assert made is not None
    return made


def test_a_row_has_what_was_said() -> None:
    assert row() == {
        "id": "r-1", "at": 2.0, "sidecar": "shop", "leg": "in", "from": "", "to": "shop", "method": "GET",
        "target": "/orders", "status": 200, "fault": None, "ms": 1.5, "in": ["b3", "tracecontext"],
        "out": ["tracecontext"], "winner": "b3", "trace": "01" * 16, "span": "02" * 8, "sampling": "accept",
        "short": False, "session": None, "notes": ["malformed"], "probe": False, "retries": 0,
    }  # fmt: skip


def test_what_a_row_has_of_rarer_attributes() -> None:
    more = {
        "ops__fault": "reset", "ops__short": True, "session__id": "ann", "ops__retries": 2, "ops__bare": True,
        "url__path": "/healthz",
    }  # fmt: skip
    usual, said = row(), row(**more)
    assert {key: value for key, value in said.items() if value != usual[key]} == {
        "fault": "reset", "short": True, "session": "ann", "retries": 2, "probe": True, "target": "/healthz",
        "notes": ["malformed", "bare", "64-bit", "retry"],
    }  # fmt: skip


def test_without_an_id_there_is_no_row() -> None:
    for wrong in ("", None, 5):
        assert row_of(Report("exchange", SENDER, 1, 1, USUAL | {"ops.request.id": wrong}), {}) is None


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"ops__peer": "web", "ops__peer__kind": "rule"}, ("web", "shop")),
        ({"ops__peer": "abc", "ops__peer__kind": "sidecar"}, ("billing", "shop")),
        ({"ops__peer": "xyz", "ops__peer__kind": "sidecar"}, ("a sidecar (xyz)", "shop")),
        ({"ops__leg": "out", "ops__upstream": "bank"}, ("shop", "bank")),
        ({"ops__leg": "out", "ops__upstream": "bank", "server__address": "b:80"}, ("shop", "bank")),
        ({"ops__leg": "out", "ops__upstream": "other", "server__address": "b:80"}, ("shop", "b:80")),
        ({"ops__leg": "out", "ops__upstream": "", "server__address": "b:80"}, ("shop", "b:80")),
        ({"ops__leg": "out", "ops__upstream": "other"}, ("shop", "other")),
    ],
)
def test_who_called_whom(said: dict[str, Any], where: tuple[str, str]) -> None:
    made = row({"abc": "billing"}, **said)
    assert (made["from"], made["to"]) == where
    assert made["leg"] == said.get("ops__leg", "in")


@pytest.mark.parametrize(
    ("finding", "note"),
    [
        ("another-trace", "re-minted"),
        ("decision-changed", "flipped"),
        ("dropped", "gap"),
        ("lost-tracestate", "lost-state"),
        ("lost-baggage", "lost-baggage"),
        ("lost-session", "lost-session"),
        ("stale", "stale"),
        ("two-stories", "conflict"),
        ("unread-format", "unread"),
    ],
)
def test_each_finding_of_the_doctor_is_a_note(finding: str, note: str) -> None:
    assert row(ops__formats__read=[], ops__findings=[finding, "from-the-future"])["notes"] == [note]


@pytest.mark.parametrize(
    ("said", "note"),
    [
        ({"ops__fault": "bad-host", "ops__upstream": ""}, "refused"),
        ({"ops__formats__read": ["b3", "jaeger~"]}, "conflict"),
        ({"ops__formats__read": ["b3!shape"]}, "malformed"),
        ({"ops__sampling": "debug"}, "debug"),
        ({"ops__sampling": "deny"}, "deny"),
        ({"ops__sampling": "defer"}, "defer"),
        ({"ops__bare": True}, "bare"),
        ({"ops__short": True}, "64-bit"),
        ({"ops__retries": 1}, "retry"),
        ({"ops__withheld": ["trace"]}, "egress"),
        ({"ops__linked": "single"}, "linked"),
        ({"ops__carried": ["session"]}, "carry-over"),
    ],
)
def test_each_note(said: dict[str, Any], note: str) -> None:
    assert row(**{"ops__formats__read": ["b3"]} | said)["notes"] == [note]


@pytest.mark.parametrize(
    "said",
    [
        {"ops__sampling": "accept"}, {"ops__bare": "yes"}, {"ops__bare": False}, {"ops__short": 1},
        {"ops__retries": 0}, {"ops__retries": True}, {"ops__retries": "2"}, {"ops__withheld": "trace"},
        {"ops__linked": "none"}, {"ops__linked": ""}, {"ops__fault": "bad-response"}, {"ops__carried": [5]},
    ],
)  # fmt: skip
def test_what_is_no_note(said: dict[str, Any]) -> None:
    assert row(**{"ops__formats__read": ["b3"]} | said)["notes"] == []


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/livez", "/health", "/ready", "/live", "/metrics", "/ping", "/-/healthy", "/-/ready"],
)
def test_each_path_of_a_probe(path: str) -> None:
    assert is_probe(path, "")
    assert not is_probe(path + "/x", "curl/8")
    assert row(url__path=path)["probe"] is True


@pytest.mark.parametrize(
    "agent",
    [
        "kube-probe/1.30", "Prometheus/2.53", "ELB-HealthChecker/2.0", "GoogleHC/1.0", "Consul Health Check",
        "Blackbox Exporter/0.25",
    ],
)  # fmt: skip
def test_each_agent_of_a_probe(agent: str) -> None:
    assert is_probe("/orders", agent)
    assert not is_probe("/orders", f"x{agent}")
    assert row(user_agent__original=agent)["probe"] is True


def test_texts_have_an_end() -> None:
    long = "x" * 2049
    assert text({"a": long}, "a") == "x" * 2048
    assert texts({"a": [long, 5, "b"]}, "a") == ["x" * 2048, "b"]
    assert (text({"a": 5}, "a"), text({}, "a"), texts({"a": "b"}, "a"), texts({}, "a")) == ("", "", [], [])


@pytest.mark.parametrize(
    ("fault", "upstream", "refused"),
    [("bad-host", "", True), ("bad-host", "app", False), ("", "", False), ("", "app", False)],
)
def test_refused_is_before_it_was_decided_where_it_goes(fault: str, upstream: str, refused: bool) -> None:
    assert is_refused({"ops.fault": fault, "ops.upstream": upstream}) is refused


def test_numbers_and_texts_of_a_stranger() -> None:
    made = row(http__response__status_code="200", ops__duration_us="x", ops__winner=5, session__id="s-1")
    assert (made["status"], made["ms"], made["winner"], made["session"]) == (None, 0, None, "s-1")
