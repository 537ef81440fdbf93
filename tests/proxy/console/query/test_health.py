"""How the console is, and who it says it is: what it holds, what was lost, and what a first visitor has to set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gates.fleet import Console, fleet

from proxy.console.query.health import health, myself

STATE: dict[str, Any] = {
    "instance": "c0", "version": "1.2", "auth": True, "otlp": "http://h:4318", "otlp_auth": False, "lost": {},
    "refused": {}, "store": {"kind": "memory"},
}  # fmt: skip


@pytest.fixture
def console() -> Iterator[Console]:
    with fleet() as (_, made):
        yield made


def fill(console: Console, *, traces: int = 0, requests: int = 0, sidecars: int = 0, spans: int = 3) -> None:
    console.connection.executemany(
        "INSERT INTO traces (key, trace, started, ended, spans, items, errors, root_service, root_name, title, "
        "services, names, formats, notes, words) "
        "VALUES (?1, ?1, ?1 * 1000000, 0, ?2, 0, 0, '', '', '', '', '', '', '', '')",
        [(number, spans) for number in range(7, 7 + traces)],
    )
    console.connection.executemany(
        "INSERT INTO requests (rid, at, sidecar, leg, source, target_service, method, target, ms, formats_in, "
        "formats_out, short, notes, probe, retries, words) "
        "VALUES (?, 0, '', '', '', '', '', '', 0, '', '', 0, '', 0, 0, '')",
        [(number,) for number in range(requests)],
    )
    console.connection.executemany(
        "INSERT INTO sidecars (instance, service, name, host, version, newer, seen, health) "
        "VALUES (?, 'shop', '', '', '', 0, 0, '{}')",
        [(number,) for number in range(sidecars)],
    )


@pytest.mark.parametrize(
    ("there", "state", "sentence"),
    [
        ({}, {}, "The console holds 0 spans of 0 traces. No sidecar reports to it."),
        ({"traces": 1, "sidecars": 1}, {}, "The console holds 3 spans of 1 trace. 1 sidecar reports to it."),
        ({"traces": 2, "sidecars": 2}, {}, "The console holds 6 spans of 2 traces. 2 sidecars report to it."),
        ({}, {"lost": {"full": 1}},
         "The console holds 0 spans of 0 traces; 1 record was lost by the store. No sidecar reports to it."),
        ({}, {"lost": {"full": 1, "disk": 2}, "refused": {"size": 1}},
         "The console holds 0 spans of 0 traces; 3 records were lost by the store; 1 request was refused. "
         "No sidecar reports to it."),
        ({}, {"refused": {"size": 1, "token": 4}},
         "The console holds 0 spans of 0 traces; 5 requests were refused. No sidecar reports to it."),
    ],
)  # fmt: skip
def test_its_sentence(console: Console, there: dict[str, int], state: dict[str, Any], sentence: str) -> None:
    fill(console, **there)
    said = health(console.reader, STATE | state, 1)
    assert said["sentence"] == sentence
    assert len(said["sidecars"]) == there.get("sidecars", 0)


def test_what_its_store_holds(console: Console) -> None:
    nothing = {"kind": "memory", "traces": 0, "spans": 0, "requests": 0, "oldest": None}
    said = health(console.reader, STATE, 1)["console"]
    assert (said["store"], said["instance"]) == (nothing, "c0")
    fill(console, traces=2, requests=3)
    store = health(console.reader, STATE, 1)["console"]["store"]
    assert store == {"kind": "memory", "traces": 2, "spans": 6, "requests": 3, "oldest": 7.0}


def test_who_it_is_and_what_to_set_first(console: Console) -> None:
    fill(console, traces=2, requests=3, sidecars=1)
    for number, service in enumerate(("b", "a", "b")):
        console.connection.execute("INSERT INTO resources VALUES (?1, ?1, ?2, '', 0)", (number, service))
    to = "http://h:4318"
    expected = {
        "service": "console",
        "instance": "c0",
        "version": "1.2",
        "services": ["b", "a"],
        "auth": True,
        "receives": to,
        "sidecars": 1,
        "traces": 2,
        "requests": 3,
        "first_run": {
            "otlp": f"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT={to}",
            "sidecar": f"ops-sidecar run --set export.endpoint={to} --set console.report.endpoint={to}",
            "demo": "ops-sidecar demo --keep",
        },
    }
    assert myself(console.reader, STATE, 1) == expected
    token = "'authorization=Bearer TOKEN'"
    assert myself(console.reader, STATE | {"otlp_auth": True}, 1)["first_run"] == {
        "otlp": f"{expected['first_run']['otlp']} OTEL_EXPORTER_OTLP_HEADERS={token}",  # type: ignore[index]
        "sidecar": f"{expected['first_run']['sidecar']} "  # type: ignore[index]
        f"--set export.headers={token} --set console.report.headers={token}",
        "demo": "ops-sidecar demo --keep",
    }


def test_one_that_receives_nothing_tells_nobody_to_send(console: Console) -> None:
    said = myself(console.reader, STATE | {"otlp": ""}, 1)
    assert said["receives"] is None
    assert said["first_run"] == {"otlp": None, "sidecar": None, "demo": "ops-sidecar demo --keep"}


def test_200_services_are_named(console: Console) -> None:
    console.connection.executemany(
        "INSERT INTO resources VALUES (?1, ?1, ?1, '', 0)", [(number,) for number in range(201)]
    )
    assert len(myself(console.reader, STATE, 1)["services"]) == 200
