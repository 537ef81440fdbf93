"""/api/v1/openapi.json describes the real answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.answers import check, check_named
from lab.consoles import Console, hop, sent, span
from lab.texts import check_text

from proxy.console.server.openapi import PATHS, document

TRACE = f"{1:032x}"
IDS = {"/traces/{id}": TRACE, "/requests/{id}": f"r_{1:016x}", "/sessions/{id}": "ann"}


async def fill(console: Console) -> None:
    hops = (
        hop(1, attributes={"session.id": "ann"}, ms=40),
        hop(3, parent=9, start_ms=5, attributes={"http.response.status_code": 503, "error.type": "connect-timeout"}),
    )
    await console.send(sent(*hops, scope="ops-sidecar"))
    await console.send(sent(span(2, parent=1, error=True, attributes={"list": ["a"], "n": 1, "yes": True})))
    await console.until(f"/traces/{TRACE}", lambda said: len(said["spans"]) == 4)


@pytest.mark.parametrize("path", [path for path in PATHS if "get" in PATHS[path] and path != "/stream"])
async def test_answers_are_as_described(console: Console, path: str) -> None:
    schema = PATHS[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    address = path.replace("{id}", IDS.get(path, ""))
    if "{id}" not in path:
        check(schema, await console.get(address))  # a first run
    await fill(console)
    said = await console.get(address)
    check(schema, said)
    if "items" in said:
        assert said["items"]


async def test_posts_are_as_described(console: Console) -> None:
    await fill(console)
    saved = await console.get(f"/traces/{TRACE}?format=otlp")
    asked = {"/explain": {"text": "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"}, "/traces": saved}
    for path, body in asked.items():
        async with console.client.post(f"{console.url}/api/v1{path}", json=body) as response:
            assert response.status == 200
            schema = PATHS[path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
            check(schema, await response.json())


async def test_problems_are_as_described(console: Console) -> None:
    async with console.client.get(f"{console.url}/api/v1/traces/{TRACE}") as response:
        check_named("Problem", json.loads(await response.text()))


def test_every_word_of_the_description_was_reviewed() -> None:
    """`openapi.json` beside this file: a change of the API, or of a word about it, shows there."""
    said = {**document(), "info": {**document()["info"], "version": "1"}}
    check_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", Path(__file__).parent / "openapi.json")


async def test_every_path_is_described_and_no_other(console: Console) -> None:
    async with console.client.get(f"{console.url}/api/v1/openapi.json") as response:
        said = await response.json()
    assert said == json.loads(json.dumps(document()))
    for path in PATHS:
        async with console.client.options(f"{console.url}/api/v1{path.replace('{id}', 'x')}") as response:
            allowed = {method.strip().lower() for method in response.headers["Allow"].split(",")} - {"head", "options"}
        assert allowed == set(PATHS[path]), path
