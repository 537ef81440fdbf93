"""/api/v1 over HTTP: what each path answers, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab.consoles import Console, Start, hop, sent, span

from proxy.console.store.reader import QueryTimeoutError, Reader


async def post(console: Console, path: str, body: bytes | str, kind: str = "application/json") -> tuple[int, Any]:
    headers = {"Content-Type": kind}
    async with console.client.post(f"{console.url}/api/v1{path}", data=body, headers=headers) as response:
        return response.status, json.loads(await response.read() or b"null")


async def refusal(console: Console, path: str) -> tuple[int, str]:
    async with console.client.get(f"{console.url}/api/v1{path}") as response:
        assert response.content_type == "application/problem+json"
        said = await response.json()
        assert said["status"] == response.status
        return response.status, said["detail"]


async def test_a_trace_goes_down_and_up(console: Console) -> None:
    await console.send(sent(span(1), span(2, parent=1, error=True, attributes={"n": 7, "list": ["a"]})))
    row = (await console.until("/traces", lambda said: said["items"]))["items"][0]
    async with console.client.get(f"{console.url}/api/v1/traces/{row['id']}?format=otlp") as response:
        assert "attachment" in response.headers["Content-Disposition"]
        saved = await response.text()
    assert json.loads(saved)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] == row["id"]
    before = await console.get(f"/traces/{row['id']}")
    status, said = await post(console, "/traces", saved)
    assert (status, said["traces"], said["spans"]) == (200, [row["id"]], 2)
    assert await console.get(f"/traces/{row['id']}") == before  # not twice


async def test_what_is_not_a_trace_is_refused(console: Console) -> None:
    assert (await post(console, "/traces", "{}"))[0] == 400
    assert (await post(console, "/traces", "no"))[0] == 400
    assert (await post(console, "/traces", "{}", "text/plain"))[0] == 415
    assert (await post(console, "/traces", b"\xff", "application/x-protobuf"))[0] == 400


async def test_who_asks_in_vain_is_told_why(console: Console) -> None:
    nothing = "There is nothing at this path. /api/v1/openapi.json lists what is."
    assert await refusal(console, "/nothing") == (404, nothing)
    async with console.client.put(f"{console.url}/api/v1/traces") as response:
        assert (response.status, (await response.json())["detail"]) == (405, "This path does not take that method.")


async def test_what_is_not_there(console: Console) -> None:
    for path in ("/traces/00", f"/traces/{1:032x}", "/traces/x%22y", "/requests/r_0", "/sessions/no", "/nothing"):
        assert (await refusal(console, path))[0] == 404, path


async def test_wrong_arguments_are_named(console: Console) -> None:
    assert await refusal(console, "/traces?limit=0") == (400, "limit is “0”; it may be 1 to 500.")
    assert (await refusal(console, "/traces?before=x"))[0] == 400
    assert (await console.get("/traces?q=colour:red"))["error"].startswith("There is no key “colour”")


async def test_lists_come_in_pages(console: Console) -> None:
    spans = [span(n, trace=n, start_ms=n) for n in range(1, 26)]
    await console.send(sent(*spans))
    await console.until("/traces", lambda said: said["total"] == 25)
    seen: list[str] = []
    path = "/traces?limit=10"
    for expected in (10, 10, 5):
        said = await console.get(path)
        assert len(said["items"]) == expected
        seen += [row["id"] for row in said["items"]]
        path = f"/traces?limit=10&before={said['next']}"
    assert said["next"] is None
    assert seen == [f"{n:032x}" for n in range(25, 0, -1)]


async def test_a_filter_counts_and_pages(console: Console) -> None:
    await console.send(sent(*(span(n, trace=n, start_ms=n, error=n % 2 == 0) for n in range(1, 11))))
    await console.until("/traces", lambda said: said["total"] == 10)
    said = await console.get("/traces?q=status:error&limit=3")
    assert (said["total"], len(said["items"])) == (5, 3)
    assert sum(one["errors"] for one in said["histogram"]) == 5
    more = await console.get(f"/traces?q=status:error&limit=3&before={said['next']}")
    assert (len(more["items"]), more["next"]) == (2, None)


async def test_a_caller_outside_is_told_and_no_gap(console: Console) -> None:
    """Nobody expects a span of a browser or of curl: the tag is for what is missing of those who send spans."""
    child = hop(2, parent=1, attributes={"client.address": "10.0.0.7", "user_agent.original": "okhttp/4"})
    await console.send(sent(child, service="orders", scope="ops-sidecar"))
    row = (await console.until("/traces", lambda said: said["items"]))["items"][0]
    said = await console.get(f"/traces/{row['id']}")
    (caller,) = [one for one in said["spans"] if one.get("missing")]
    assert (caller["id"], caller["service"], caller["outside"]) == (f"{1:016x}", "caller of orders", True)
    assert "10.0.0.7" in caller["sentence"]
    assert said["notes"] == row["notes"] == []
    assert said["sentence"].endswith("; it began at a caller that sent no span.")


async def test_a_parent_that_never_came_is_a_gap(console: Console) -> None:
    """Beside a caller outside, too, and where a request names it that came while another was served."""
    await console.send(sent(hop(2, parent=1, ms=50), service="orders", scope="ops-sidecar"))
    await console.send(sent(hop(4, parent=3, start_ms=5), service="stock", scope="ops-sidecar"))
    said = await console.until(f"/traces/{1:032x}", lambda said: len(said["spans"]) == 4)
    assert {one["id"][-1]: one.get("outside", False) for one in said["spans"] if one.get("missing")} == {
        "1": True,
        "3": False,
    }
    assert said["notes"] == (await console.get("/traces"))["items"][0]["notes"] == ["gap"]
    assert "it began at a caller that sent no span; 1 parent was never reported" in said["sentence"]


async def test_a_gap_inside_a_request_hangs_below_it(console: Console) -> None:
    """The app's own span never comes: the sidecar's two spans are told apart from two traces."""
    inbound = hop(1, ms=50)
    outbound = hop(3, parent=2, start_ms=10, ms=20)
    outbound.kind = 3
    await console.send(sent(inbound, outbound, service="shop", scope="ops-sidecar"))
    said = await console.until(f"/traces/{1:032x}", lambda said: len(said["spans"]) == 3)
    (gap,) = [one for one in said["spans"] if one.get("missing")]
    assert (gap["parent"], gap["guess"]) == (f"{1:016x}", True)
    assert "Probably inside GET /orders" in gap["sentence"]


async def test_sessions(console: Console) -> None:
    for number in (1, 2, 3):
        named = {"session.id": f"s{number % 2}"}
        await console.send(sent(span(number, trace=number, start_ms=number, attributes=named, error=number == 3)))
    said = await console.until("/sessions", lambda said: [one["traces"] for one in said["items"]] == [2, 1])
    assert [(one["id"], one["traces"], one["errors"]) for one in said["items"]] == [("s1", 2, 1), ("s0", 1, 0)]
    assert (said["total"], said["next"], said["sentence"]) == (2, None, "2 sessions.")
    first = await console.get("/sessions?limit=1")
    assert (first["total"], first["sentence"]) == (None, "1 session and more.")
    following = await console.get(f"/sessions?limit=1&before={first['next']}")
    assert [one["id"] for page in (first, following) for one in page["items"]] == ["s1", "s0"]
    one = await console.get("/sessions/s1")
    assert [row["id"] for row in one["traces"]] == [f"{3:032x}", f"{1:032x}"]
    assert (await console.get("/sessions?q=s0"))["items"][0]["id"] == "s0"


async def test_logs_stand_on_their_span(console: Console) -> None:
    await console.send(sent(span(1)))
    paid = {"traceId": f"{1:032x}", "spanId": f"{1:016x}", "body": {"stringValue": "paid"}, "severityNumber": 9}
    records = [paid, {"body": {"stringValue": "of no trace"}}]
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    headers = {"Content-Type": "application/json"}
    await console.client.post(f"{console.otlp}/v1/logs", data=json.dumps(body), headers=headers)
    said = await console.until(f"/traces/{1:032x}", lambda said: "logs" in said["spans"][0])
    assert [(one["severity"], one["body"]) for one in said["spans"][0]["logs"]] == [("INFO", "paid")]
    assert (await console.get("/health"))["console"]["not_kept"] == {"logs": 1}


async def test_no_get_changes_anything(console: Console) -> None:
    await console.send(sent(span(1)))
    await console.until("/traces", lambda said: said["items"])
    for path in ("/traces", "/login"):
        async with console.client.delete(f"{console.url}/api/v1{path}") as response:
            assert response.status == 405
    async with console.client.get(f"{console.url}/api/v1/login") as response:
        assert response.status == 405


async def test_explain(console: Console) -> None:
    status, said = await post(console, "/explain", json.dumps({"text": "b3: 0"}))
    assert (status, said["bare"], said["to"]) == (200, "deny", [])
    assert (await post(console, "/explain", "curl http://a -H 'b3: 1'", "text/plain"))[1]["bare"] == "accept"
    assert (await post(console, "/explain", "{}"))[0] == 400
    assert (await post(console, "/explain", "b3: 0", "application/xml"))[0] == 415


async def test_a_first_run_is_told_that_the_intake_asks_for_a_token(start_console: Start) -> None:
    """Not which: the page is no place for it."""
    console = await start_console(otlp_token="intake-secret")
    said = (await console.get("/self"))["first_run"]
    assert "OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer TOKEN'" in said["otlp"]
    for key in ("export.headers", "console.report.headers"):
        assert f"--set {key}='authorization=Bearer TOKEN'" in said["sidecar"]
    assert "intake-secret" not in str(await console.get("/health")) + str(said)


async def test_a_first_run_is_told_what_to_type(console: Console) -> None:
    said = (await console.get("/self"))["first_run"]
    assert said["demo"] == "ops-sidecar demo --keep"
    assert said["sidecar"] == (
        f"ops-sidecar run --set export.endpoint={console.otlp} --set console.report.endpoint={console.otlp}"
    )


async def test_a_span_that_ends_before_it_begins_takes_no_time(console: Console) -> None:
    await console.send(sent(span(1, ms=-5)))
    await console.until("/traces", lambda said: said["items"])
    (one,) = (await console.get(f"/traces/{1:032x}"))["spans"]
    assert one["ms"] == 0


@pytest.mark.parametrize(("kind", "maker"), [(2, "caller of shop"), (5, "caller of shop"), (3, "shop"), (1, "shop")])
async def test_a_gap_is_told_of_who_should_have_filled_it(console: Console, kind: int, maker: str) -> None:
    """Of a server or a consumer, its caller; else the service itself."""
    await console.send(sent(span(2, parent=1, kind=kind), span(3, start_ms=-5)))
    await console.until("/traces", lambda said: said["items"])
    said = await console.get(f"/traces/{1:032x}")
    (gap,) = [one for one in said["spans"] if one.get("missing")]
    assert gap["service"] == maker
    assert gap["sentence"].startswith(f"1 span names this id as parent, but {maker} never sent it.")


async def test_who_asks_too_much_is_told_to_ask_for_less(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    def last(*_: Any, **__: Any) -> Any:
        raise QueryTimeoutError

    monkeypatch.setattr(Reader, "all", last)
    assert await refusal(console, "/traces") == (503, "The question took too long. Narrow the filter.")
