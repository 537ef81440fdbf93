"""Every answer of the console on one story, word by word: `answers.json` has what was reviewed.

The story is told once: two services with spans, a session, an error and a gap; requests of a recorded sidecar;
and counters of a fleet in which one replica went silent. Nothing of it depends on the clock.
"""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from time import gmtime
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from gates.fleet import Console, Replica, Time, fleet
from lab import consoles
from lab.answers import check_named
from lab.consoles import hop, sent, span
from lab.texts import check_text
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from proxy.cli.commands import main
from proxy.cli.views import answers as for_agents
from proxy.cli.views.client import Console as Client
from proxy.console.intake.decode import read_logs, read_traces
from proxy.console.intake.records import Batch
from proxy.console.query.doctor import doctor
from proxy.console.query.download import download
from proxy.console.query.explain import explain
from proxy.console.query.health import health, myself
from proxy.console.query.migration import migration
from proxy.console.query.requests import request, requests
from proxy.console.query.sessions import session, sessions
from proxy.console.query.settings import settings
from proxy.console.query.trace import trace
from proxy.console.query.traces import traces
from proxy.console.store.writer import Writer

RECORDED = Path(__file__).parents[1] / "older_reports.json"
STATE: dict[str, Any] = {
    "otlp": "http://127.0.0.1:4318",
    "otlp_auth": False,
    "instance": "c0",
    "version": "1",
    "started": 1.0,
    "auth": False,
    "lost": {"full": 1},
    "refused": {"size": 2},
    "store": {"kind": "memory", "path": None, "bytes": 4096, "limit_bytes": 1 << 20, "waiting_bytes": 0, "removed": 0},
    "received": {"spans": 6},
    "rejected": {},
    "not_kept": {},
    "repeated": 0,
    "overfull": 0,
    "stream": {"readers": 0, "lost": 0, "cut": 0},
    "forward": None,
}
FILTERS = ("", "is:error", "service:billing", "status:5xx", "dur:>20ms", "-is:error", "orders", "colour:red", "is:")


def _recorded() -> list[Batch]:
    told = json.loads(RECORDED.read_text(encoding="utf-8"))
    bodies = (gzip.decompress(base64.b64decode(one)) for one in told["bodies"])
    return [read_logs(ExportLogsServiceRequest.FromString(body)) for body in bodies]


def _spans() -> list[Batch]:
    """Four traces.

    1 has a sidecar, its app and a callee, with an error; 2 a caller outside and a gap.
    3 has a conflict and a refusal; 4 is alone.
    """
    inbound = hop(1, ms=40, attributes={"session.id": "ann", "ops.notes": ["conflict"]})
    app = span(2, parent=1, name="charge", error=True, start_ms=5, ms=30, attributes={"http.route": "/charge", "n": 7})
    callee = span(3, parent=2, name="pay", start_ms=10, ms=5, kind=3, attributes={"list": ["a", "b"], "ok": True})
    refused = hop(
        5, trace=3, start_ms=100, ms=1, read="b3~", written="b3",
        attributes={"http.response.status_code": 503, "error.type": "connect-timeout", "session.id": "ann"},
    )  # fmt: skip
    alone = span(6, trace=4, start_ms=200, ms=0, name="tick", attributes={"session.id": "bob"})
    return [
        read_traces(
            sent(inbound, hop(4, trace=2, parent=9, start_ms=50), refused, service="shop", scope="ops-sidecar")
        ),
        read_traces(sent(app, span(7, trace=2, parent=8, name="look", start_ms=52, ms=3), service="shop")),
        read_traces(sent(callee, alone, service="billing")),
    ]


@pytest.fixture(scope="module")
def story() -> Iterator[tuple[Time, Console]]:
    recorded = _recorded()
    with fleet() as (time, console), pytest.MonkeyPatch.context() as patch:
        time.now_s = max(one.at for batch in recorded for one in batch.reports) / 1e9 + 5
        patch.setattr(consoles, "NOW_NS", time.ns)
        writer = Writer(console.connection, threading.RLock(), limit_bytes=1 << 30, clock_ns=lambda: time.ns)
        writer.start()
        for batch in [*recorded, *_spans()]:
            done = threading.Event()
            writer.add(batch, done=done)
            assert done.wait(10)
        writer.stop()
        replicas = [Replica(time, "orders", f"node-{number}", interval_s=10.0) for number in (1, 2)]
        for number, replica in enumerate(replicas):
            replica.channel.instance = f"i-{number}"
        for hour in range(30):
            time.now_s += 10.0
            for replica in replicas:
                replica.request("web", "tracecontext,b3")
                replica.request("cron", "b3!" if hour % 3 == 0 else "b3")
                replica.request("bank", "tracecontext", "b3,jaeger", leg="out")
                if hour < 20 or replica is replicas[0]:
                    console.take(replica.report())
        yield time, console


def _asked(time: Time, console: Console) -> dict[str, Any]:
    reader = console.reader
    rows = requests(reader)["items"]
    return {
        **{f"traces {q}": traces(reader, q=q) for q in FILTERS},
        "traces in pages": traces(reader, limit=1),
        **{f"trace {number}": trace(reader, f"{number:032x}") for number in (1, 2, 3, 4, 5)},
        "download": download(reader, f"{1:032x}"),
        **{f"requests {q}": requests(reader, q=q) for q in (*FILTERS, "format:b3", "in:b3", "out:w3c", "is:changed")},
        **{f"request {number}": request(reader, row["id"]) for number, row in enumerate(rows)},
        "sessions": sessions(reader),
        "session ann": session(reader, "ann"),
        "session bob": session(reader, "bob"),
        "session eve": session(reader, "eve"),
        "health": health(reader, STATE, time.ns),
        "health at peace": health(reader, STATE | {"lost": {}, "refused": {}}, time.ns)["sentence"],
        "self": myself(reader, STATE, time.ns),
        "doctor": doctor(reader, time.ns),
        "explain": explain(reader, "b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1", time.ns),
        "migration": migration(reader, time.ns),
        "settings": settings(reader, time.ns),
    }


def test_answers_are_word_by_word_as_reviewed(story: tuple[Time, Console]) -> None:
    said = json.dumps(_asked(*story), indent=1, ensure_ascii=False, default=str)
    check_text(said + "\n", Path(__file__).parent / "answers.json")


SCHEMAS = {
    "traces": "Page", "trace": "Trace", "requests": "Page", "request": "Request", "sessions": "Page",
    "session": "SessionTraces", "health": "Health", "self": "Self", "doctor": "Doctor", "explain": "Explained",
    "migration": "Migration", "settings": "Settings",
}  # fmt: skip


def test_answers_are_as_the_api_describes_them(story: tuple[Time, Console]) -> None:
    """With no key that it does not name."""
    names = set()
    for asked, said in _asked(*story).items():
        name = SCHEMAS.get(asked.partition(" ")[0])
        if name is not None and isinstance(said, dict):
            check_named(name, said)
            names.add(name)
    assert names == set(SCHEMAS.values())


class _Offline(Client):
    """Answers without a console."""

    story: tuple[Time, Console]

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        time, reader = self.story[0], self.story[1].reader
        where, _, query = path.partition("?")
        _, what, *name = where.split("/")
        asked = {key: one[0] for key, one in parse_qs(query).items() if key in ("q", "before")}
        many = {"traces": traces, "requests": requests, "sessions": sessions}
        single = {"traces": trace, "requests": request, "sessions": session}
        told = {"doctor": doctor, "migration": migration, "settings": settings}
        if body:
            return explain(reader, json.loads(body)["text"], time.ns)
        if what == "health":
            return health(reader, STATE, time.ns)
        if what in told:
            return told[what](reader, time.ns)
        return single[what](reader, unquote(name[0])) if name else many[what](reader, **asked)  # type: ignore[operator]


def test_terminals_and_agents_are_told_in_reviewed_words(
    story: tuple[Time, Console], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`views.txt` has every view of the same story."""
    monkeypatch.setattr(_Offline, "story", story, raising=False)
    monkeypatch.setattr("proxy.cli.views.client.Console", _Offline)
    monkeypatch.setattr("proxy.cli.views.tables.time.localtime", gmtime)
    monkeypatch.setenv("COLUMNS", "120")
    there = "http://127.0.0.1:4319/console"
    lines = []
    for command in (
        "traces", "traces is:error", f"trace {1:032x}", f"trace {2:032x}", f"trace {5:032x}", "doctor", "migration",
        "top --once", "top --once colour:red",
    ):  # fmt: skip
        code = main([*command.split(), "--console", there])
        said = capsys.readouterr()
        lines.append(f"$ ops-sidecar {command}\n{said.out}{said.err}({code})\n")
    for command in ("traces", f"trace {1:032x}", "doctor", "migration", "top"):
        assert main([*command.split(), "--json", "--console", there]) == 0
        assert json.loads(capsys.readouterr().out)
    client = _Offline(there)
    rows = requests(story[1].reader)["items"]
    for name, *asked in (
        ("traces", "", 10), ("traces", "colour:red", 10), ("trace", f"{1:032x}"), ("trace", f"{5:032x}"),
        ("requests", "", 2), *(("request", row["id"]) for row in rows), ("request", "r_0"), ("doctor",), ("migration",),
        ("explain", "b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1"), ("explain", "no"), ("health",),
        ("sessions", "", 10), ("session", "ann"), ("session", "eve"), ("settings", ""), ("settings", "nobody"),
    ):  # fmt: skip
        lines.append(f"# {name} {asked}\n{getattr(for_agents, name)(client, *asked)}\n")
    check_text("\n".join(lines), Path(__file__).parent / "views.txt")
