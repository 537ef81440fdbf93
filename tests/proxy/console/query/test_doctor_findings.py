"""What the doctor makes of counters and rows: each word of a finding, and where its window and its lists end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gates.fleet import Console, fleet
from lab.answers import check_named

from proxy.console.query.doctor import doctor
from proxy.console.store.requests import put_request

NOW_MS = 1_790_000_000_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SINCE_MS = NOW_MS - 24 * HOUR_MS
ROW: dict[str, Any] = {
    "id": "r0", "at": NOW_MS - 1000, "sidecar": "shop", "leg": "out", "from": "shop", "to": "bank", "method": "GET",
    "target": "/", "status": 200, "fault": None, "ms": 1.0, "in": ["b3"], "out": ["b3"], "winner": "b3", "trace": None,
    "span": None, "sampling": None, "short": False, "session": None, "notes": [], "probe": False, "retries": 0,
}  # fmt: skip


class Store:
    """What sidecars reported, a line at a time."""

    def __init__(self, console: Console) -> None:
        self.reader = console.reader
        self._connection = console.connection

    def sidecar(self, service: str) -> None:
        self._connection.execute(
            "INSERT INTO sidecars (instance, service, name, host, version, newer, seen) "
            "VALUES (?1, ?1, ?1, '', '', 0, 0)",
            (service,),
        )

    def calls(self, service: str, *, first: int = NOW_MS - 5000, last: int = NOW_MS - 1000, **counts: int) -> None:
        """`another_trace=2`, `expected__state=3`."""
        for name, number in counts.items():
            key = name.replace("__", ":").replace("_", "-")
            row = service, last // HOUR_MS, key, number, first, last
            self._connection.execute("INSERT INTO call_hours VALUES (?, ?, ?, ?, ?, ?)", row)

    def format(
        self, service: str, read: str, count: int = 1, *, leg: str = "in", peer: str = "web", written: str = "",
        first: int = NOW_MS - 5000, last: int = NOW_MS - 1000,
    ) -> None:  # fmt: skip
        row = service, last // DAY_MS, leg, "rule", peer, "app", "", read, written, count, first, last
        self._connection.execute("INSERT INTO format_days VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def row(
        self, detail: dict[str, Any] | None = None, *, source: str = "shop", read: Any = ("b3",), **more: Any
    ) -> dict[str, Any]:
        made = ROW | {"from": source, "in": list(read)} | more
        assert put_request(self._connection, made, detail)
        return made

    def ask(self) -> dict[str, Any]:
        said = doctor(self.reader, NOW_MS * 1_000_000)
        check_named("Doctor", said)
        return said

    def finding(self) -> dict[str, Any]:
        (one,) = self.ask()["findings"]
        return dict(one)


@pytest.fixture
def store() -> Iterator[Store]:
    with fleet() as (_, console):
        yield Store(console)


def test_a_finding_with_its_proof(store: Store) -> None:
    at_app = store.row(id="in", leg="in", source="web", to="shop", at=NOW_MS - 9000)
    store.row(id="old", at=NOW_MS - 4000, notes=["gap"])
    linked = store.row({"report": {"ops.request.of": "in"}}, id="new", at=NOW_MS - 2000, notes=["gap", "linked"])
    store.calls("shop", examined=10, dropped=4)
    (said,) = store.ask()["services"]
    assert (said["name"], said["sentence"], said["calls"]) == ("shop", "Drops the context now and then.", 10)
    assert said["checks"]["forwards"] == {"state": "warn", "bad": 4, "of": 10}
    assert said["checks"]["decision"] == {"state": "unseen", "bad": 0, "of": 0}
    found = store.finding()
    assert found == {
        "service": "shop",
        "check": "forwards",
        "key": "shop:forwards",
        "severity": "warn",
        "sentence": "shop drops the context on 4 of 10 calls.",
        "bad": 4,
        "of": 10,
        "counted": "calls",
        "first": NOW_MS - 5000,
        "last": NOW_MS - 1000,
        "repaired": "some",
        "saved": "The sidecar joined 1 of the last 2 to their requests, by evidence.",
        "fix": "Pass the context on where the app calls: "
        "instrument its HTTP client, and wrap thread pools that make calls.",
        "breaks": {
            "request": at_app,
            "sentence": "The last hop that had it: web → shop in B3. It breaks inside shop.",
        },
        "proof": [linked, store.ask()["findings"][0]["proof"][1]],
    }
    assert [one["id"] for one in found["proof"]] == ["new", "old"]
    assert store.ask()["sentence"] == "shop breaks traces: 1 finding, 10 calls of 1 service in 24 hours."


@pytest.mark.parametrize(
    ("counts", "key", "sentence", "saved", "fix"),
    [
        ({"dropped": 1}, "forwards", "drops the context on its one call", "", "Pass the context on"),
        ({"another_trace": 1}, "same", "makes new trace ids on its one call",
         "Not repaired: each such call begins a trace of its own.", "Extract the incoming context"),
        ({"two_stories": 1}, "once", "tells two stories on its one call",
         "One context leaves all the same; the other is counted, and becomes a link on the span.", "Two tracers write"),
        ({"decision_changed": 2}, "decision", "flips the sampling decision on every call",
         "Not repaired: what an app decides counts for its calls.", "Use a sampler that follows the parent"),
        ({"lost_tracestate": 2, "expected__tracestate": 1200, "examined": 1200}, "state",
         "loses tracestate on 2 of 1,200 calls", "", "Forward tracestate wherever"),
        ({"lost_baggage": 2}, "baggage", "loses baggage on every call", "", "Forward baggage and X-Mirascope"),
        ({"lost_session": 2}, "baggage", "loses the session on every call", "", "Forward baggage and X-Mirascope"),
        ({"lost_session": 2, "lost_baggage": 1, "expected__session": 4, "expected__baggage": 4}, "baggage",
         "loses baggage and the session on 3 of 8 calls", "", "Forward baggage and X-Mirascope"),
        ({"unread_format": 3}, "format", "speaks a format that is not read on every call",
         "Not repaired: what is not read is not passed on.", "outbound.propagation.extract: add what it speaks."),
        ({"stale": 3}, "fresh", "repeats one context for all its calls on every call",
         "Not repaired: the calls hang on a trace that is over.", "A context lives in a global"),
    ],
)  # fmt: skip
def test_each_check_is_told_with_its_cure(
    store: Store, counts: dict[str, int], key: str, sentence: str, saved: str, fix: str
) -> None:
    store.calls("shop", **counts)
    said = store.finding()
    assert (said["check"], said["key"], said["sentence"]) == (key, f"shop:{key}", f"shop {sentence}.")
    assert (said["saved"], said["repaired"], said["breaks"], said["proof"]) == (saved, "none", None, [])
    assert said["fix"].startswith(fix)


def test_the_worst_comes_first(store: Store) -> None:
    """What fails before what warns, then by number."""
    store.calls("a", examined=1000, dropped=400, another_trace=500)
    store.calls("b", examined=10, stale=5)
    store.calls("c", examined=9000, dropped=3000, two_stories=8000)
    found = [(one["service"], one["check"], one["severity"]) for one in store.ask()["findings"]]
    assert found == [
        ("c", "once", "fail"), ("a", "same", "fail"), ("b", "fresh", "fail"), ("c", "forwards", "warn"),
        ("a", "forwards", "warn"),
    ]  # fmt: skip
    sentences = [one["sentence"] for one in store.ask()["services"]]
    assert sentences == [
        "Makes new trace ids and drops the context now and then.",
        "Repeats one context for all its calls.",
        "Tells two stories and drops the context now and then.",
    ]


def test_of_a_service_that_is_ill_the_three_worst_are_told(store: Store) -> None:
    store.calls("a", examined=100, dropped=50, another_trace=60, two_stories=10, stale=20)
    assert store.ask()["services"][0]["sentence"] == (
        "Makes new trace ids, drops the context and repeats one context for all its calls now and then."
    )


@pytest.mark.parametrize(
    ("told", "repaired", "saved"),
    [
        ([["lost-state"]], "none", "The sidecar put it back on 0 of the last 1."),
        ([["lost-state", "carry-over"], ["lost-state"]], "some", "The sidecar put it back on 1 of the last 2."),
        ([["lost-state", "carry-over"]] * 2, "all", "The sidecar put it back on 2 of the last 2."),
        ([["lost-state", "carry-over"]] * 200, "all", "The sidecar put it back on 200 of the last 200."),
        ([["lost-state", "carry-over"]] * 201, "all", "The sidecar put it back on 200 of the last 200."),
    ],
)
def test_what_was_repaired_is_counted_in_the_last_200_rows(
    store: Store, told: list[list[str]], repaired: str, saved: str
) -> None:
    store.calls("shop", lost_tracestate=900)
    for number, notes in enumerate(told):
        store.row(id=f"r{number}", notes=notes, at=NOW_MS - 1000 - number)
    said = store.finding()
    assert (said["repaired"], said["saved"]) == (repaired, saved)
    assert [one["id"] for one in said["proof"]] == [f"r{number}" for number in range(min(3, len(told)))]


def test_proofs_are_calls_of_this_app_in_this_time_with_this_note(store: Store) -> None:
    store.calls("shop", dropped=9, lost_session=1)
    store.row(id="edge", notes=["gap"], at=SINCE_MS)
    store.row(id="earlier", notes=["gap"], at=SINCE_MS - 1)
    store.row(id="in", notes=["gap"], leg="in")
    store.row(id="other", notes=["gap"], sidecar="web")
    store.row(id="without", notes=["gaps", "linked"])
    store.row(id="session", notes=["lost-session"])
    store.row(id="baggage", notes=["lost-baggage"], at=NOW_MS - 2000)
    proofs = {one["check"]: [row["id"] for row in one["proof"]] for one in store.ask()["findings"]}
    assert proofs == {"forwards": ["edge"], "baggage": ["session", "baggage"]}


def test_where_it_breaks_is_told_by_the_newest_row_that_knows(store: Store) -> None:
    store.calls("shop", dropped=9)
    at_app = store.row(id="in", leg="in", source="web", read=[], at=NOW_MS - 9000)
    store.row({"report": {"ops.request.of": "in"}}, id="r1", at=NOW_MS - 5000, notes=["gap"])
    assert store.finding()["breaks"] == {
        "request": at_app, "sentence": "The last hop that had it: web → shop. It breaks inside shop.",
    }  # fmt: skip
    for number, detail in enumerate(({"report": {"ops.request.of": "gone"}}, {"report": {}}, {"groups": []}, None)):
        store.row(detail, id=f"newer{number}", at=NOW_MS - 4000 + number, notes=["gap"])
        is_shown = number < 2  # of three proofs
        assert (store.finding()["breaks"] is not None) is is_shown, number


def test_a_service_that_speaks_what_nobody_reads_is_told_what_to_add(store: Store) -> None:
    store.format("shop", "jaeger?,b3?,tracecontext", leg="out")
    store.calls("shop", unread_format=1, dropped=1)
    fixes = {one["check"]: one["fix"] for one in store.ask()["findings"]}
    assert fixes["format"] == "outbound.propagation.extract of shop's sidecar: add b3, jaeger."
    assert fixes["forwards"].startswith("Pass the context on")
    assert store.ask()["services"][0]["speaks"] == ["tracecontext"]


@pytest.mark.parametrize(
    ("spoken", "given", "is_told"),
    [("b3", "jaeger", True), ("b3", "b3", False), ("", "jaeger", False), ("b3", "", False), ("b3,jaeger", "b3", False)],
)
def test_an_app_may_read_only_what_it_speaks(store: Store, spoken: str, given: str, is_told: bool) -> None:
    store.calls("shop", another_trace=1, stale=1)
    store.format("shop", "", written=given)
    store.format("shop", spoken, leg="out")
    fixes = {one["check"]: one["fix"] for one in store.ask()["findings"]}
    assert fixes["same"].startswith("shop is given Jaeger and speaks B3: perhaps it reads nothing else.") is is_told
    assert fixes["same"].startswith("Extract the incoming context") is not is_told
    assert fixes["fresh"].startswith("A context lives in a global")


def test_each_wrong_that_a_caller_does(store: Store) -> None:
    store.format("shop", "b3~,tracecontext", 5, peer="web", first=NOW_MS - 9000)
    store.format("shop", "b3!shape,jaeger!zero-id", 4, peer="cron")
    store.format("shop", "b3!shape", 2, peer="cron", written="b3", last=NOW_MS - 500)
    store.format("shop", "b3?", 3, peer="job", first=SINCE_MS - 9000)
    store.format("shop", "b3?,tracecontext", 99, peer="fine")
    store.format("shop", "b3~,b3?,tracecontext", 99, leg="call")
    store.format("shop", "b3~,b3?,tracecontext", 99, leg="out")  # the app's own checks tell of it
    conflict = store.row(id="c", leg="in", source="web", notes=["conflict"])
    malformed = store.row(id="m", leg="in", source="cron", notes=["malformed"])
    store.row(id="t", leg="in", source="job", trace="1" * 32)
    untraced = store.row(id="u", leg="in", source="job")
    store.row(id="old", leg="in", source="job", at=SINCE_MS - 1)
    said = store.ask()
    requests = 5 + 4 + 2 + 3 + 99
    base = {"at": "shop", "severity": "warn", "of": requests, "counted": "requests", "breaks": None}
    once = {
        **base,
        "service": "web",
        "check": "once",
        "key": "web:shop:once:conflict",
        "sentence": "web hands shop two different traces: 5 requests.",
        "bad": 5,
        "first": NOW_MS - 9000,
        "last": NOW_MS - 1000,
        "repaired": "all",
        "saved": "One context leaves all the same; the other is counted, and becomes a link on the span.",
        "fix": "Two tracers write headers there. Ask for one, or let propagation.extract name the one to believe.",
        "proof": [conflict],
    }
    broken = {
        **base,
        "service": "cron",
        "check": "format",
        "key": "cron:shop:format:malformed",
        "sentence": "cron sends B3 and Jaeger that cannot be read: 6 requests.",
        "bad": 6,
        "first": NOW_MS - 5000,
        "last": NOW_MS - 500,
        "repaired": "none",
        "saved": "",
        "fix": "The request says which part is wrong.",
        "proof": [malformed],
    }
    unread = {
        **base,
        "service": "job",
        "check": "format",
        "key": "job:shop:format:untraced",
        "sentence": "job speaks B3 to shop, which does not read it: 3 requests.",
        "bad": 3,
        "first": SINCE_MS,
        "last": NOW_MS - 1000,
        "repaired": "none",
        "saved": "",
        "fix": "inbound.propagation.extract of shop's sidecar: add b3.",
        "proof": [untraced],
    }
    assert said["findings"] == [broken, once, unread]
    assert said["window"] == {"from": SINCE_MS, "to": NOW_MS, "requests": requests}


def test_what_an_app_sends_out_malformed_is_told_of_it(store: Store) -> None:
    store.format("shop", "b3!shape", 5, leg="out", peer="")
    said = store.finding()
    assert (said["service"], said["at"], said["of"]) == ("shop", "shop", 5)
    assert said["sentence"] == "shop sends B3 that cannot be read: 5 requests."


def test_a_caller_that_is_told_of_itself_is_not_told_twice(store: Store) -> None:
    store.format("shop", "b3~,tracecontext", 5, peer="web")
    store.calls("web", examined=5)
    assert [one["service"] for one in store.ask()["findings"]] == ["web"]
    store.calls("web", two_stories=5)
    assert [one["key"] for one in store.ask()["findings"]] == ["web:once"]
    store.format("web", "b3~,tracecontext", 5, peer="web")  # it calls itself
    assert sorted(one["key"] for one in store.ask()["findings"]) == ["web:once", "web:web:once:conflict"]


def test_at_most_50_callers_are_told_and_those_of_most_requests(store: Store) -> None:
    for number in range(51):
        store.format("shop", "b3!shape", 100 + number, peer=f"p{number}")
    found = store.ask()["findings"]
    assert [one["service"] for one in found] == [f"p{number}" for number in range(50, 0, -1)]


@pytest.mark.parametrize("back_ms", [0, 1])
def test_a_window_is_24_hours_to_the_millisecond(store: Store, back_ms: int) -> None:
    at = SINCE_MS - back_ms
    store.calls("shop", dropped=1, first=at, last=at)
    store.format("shop", "b3!shape", first=at, last=at)
    said = store.ask()
    assert len(said["findings"]) == (0 if back_ms else 2)
    assert said["window"]["requests"] == (0 if back_ms else 1)
    store.calls("shop", stale=1, first=SINCE_MS - DAY_MS, last=SINCE_MS)
    assert [one["first"] for one in store.ask()["findings"] if one["check"] == "fresh"] == [SINCE_MS - DAY_MS]


def test_first_and_last_are_those_of_all_hours_and_findings(store: Store) -> None:
    store.calls("shop", lost_session=1, first=NOW_MS - 5 * HOUR_MS, last=NOW_MS - 4 * HOUR_MS)
    store.calls("shop", lost_session=2, first=NOW_MS - 3 * HOUR_MS, last=NOW_MS - 2 * HOUR_MS)
    store.calls("shop", lost_baggage=3, first=NOW_MS - 9 * HOUR_MS, last=NOW_MS - 1)
    said = store.finding()
    assert (said["first"], said["last"], said["bad"]) == (NOW_MS - 9 * HOUR_MS, NOW_MS - 1, 6)


@pytest.mark.parametrize(
    ("calls", "formats", "sentence"),
    [
        ({}, (), "No request has come in this time."),
        ({}, ("b3",), "Calls nobody by way of its sidecar, so there is nothing to compare."),
        ({"examined": 1}, (), "Passes on all that it gets."),
    ],
)
def test_of_one_without_a_finding(store: Store, calls: dict[str, int], formats: tuple[str, ...], sentence: str) -> None:
    store.sidecar("shop")
    store.calls("shop", **calls)
    for one in formats:
        store.format("shop", one)
    assert store.ask()["services"][0]["sentence"] == sentence


def test_what_it_speaks_is_told(store: Store) -> None:
    store.calls("shop", examined=1)
    store.format("shop", "jaeger,b3", leg="out")
    (said,) = store.ask()["services"]
    assert (said["sentence"], said["speaks"]) == ("Passes on all that it gets, in B3 and Jaeger.", ["b3", "jaeger"])


@pytest.mark.parametrize(
    ("ill", "calls", "sentence"),
    [
        (0, 0, "Nothing to find yet: 0 calls of 1 service in 24 hours."),
        (0, 1, "Nobody breaks a trace: 1 call of 2 services in 24 hours were looked at."),
        (1, 0, "s0 breaks traces: 1 finding, 0 calls of 2 services in 24 hours."),
        (3, 0, "s0, s1 and s2 break traces: 3 findings, 0 calls of 4 services in 24 hours."),
        (4, 2, "s0, s1, s2 and 1 more break traces: 4 findings, 2 calls of 6 services in 24 hours."),
    ],
)
def test_all_in_a_sentence(store: Store, ill: int, calls: int, sentence: str) -> None:
    store.sidecar("zero")
    for number in range(ill):
        store.calls(f"s{number}", dropped=10 - number)
    if calls:
        store.calls("well", examined=calls)
    assert store.ask()["sentence"] == sentence


def test_at_most_500_services_that_said_nothing_are_listed(store: Store) -> None:
    for number in range(501):
        store.sidecar(f"s{number:03}")
    store.sidecar("s000b")
    names = [one["name"] for one in store.ask()["services"]]
    assert names == sorted([f"s{number:03}" for number in range(499)] + ["s000b"])
