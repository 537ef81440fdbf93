"""The webhook beside an API server: its certificates, who believes them, and whom it has missed; by its rules alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from lab.api_server import ApiServer

from proxy.kubernetes.webhook.cluster import Cluster
from proxy.kubernetes.webhook.counts import Counts
from proxy.kubernetes.webhook.keeper import Keeper
from proxy.kubernetes.webhook.server import server_context

START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiServer]:
    server = ApiServer(tmp_path)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def cluster(api: ApiServer) -> AsyncIterator[Cluster]:
    made = Cluster(api.url, "ops-sidecar", api.account)
    yield made
    await made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keeper(cluster: Cluster, clock: Clock, counts: Counts | None = None) -> Keeper:
    return Keeper(
        server_context(),
        counts or Counts(),
        clock=clock,
        cluster=cluster,
        secret="ops-sidecar-webhook",
        configuration="zz-ops-sidecar",
        names=("ops-sidecar-webhook.ops-sidecar.svc",),
    )


async def test_the_first_round_makes_certificates_and_has_them_believed(
    api: ApiServer, cluster: Cluster, clock: Clock
) -> None:
    one = keeper(cluster, clock)
    assert not one.is_ready
    await one.round()
    assert one.is_ready
    assert api.bundles() == {api.certificates()["bundle.crt"]}
    assert set(api.certificates()) == {"ca.crt", "ca.key", "tls.crt", "tls.key", "bundle.crt"}


async def test_another_round_or_another_replica_changes_nothing(api: ApiServer, cluster: Cluster, clock: Clock) -> None:
    await keeper(cluster, clock).round()
    before = api.certificates()
    api.requests.clear()
    other = keeper(cluster, clock)
    await other.round()
    assert other.is_ready
    assert api.certificates() == before
    assert not any(request.startswith("PATCH") for request in api.requests)


async def test_it_renews_in_time_and_a_new_authority_is_believed_first(
    api: ApiServer, cluster: Cluster, clock: Clock
) -> None:
    counts = Counts()
    one = keeper(cluster, clock, counts)
    await one.round()
    first, ends = api.certificates(), counts.expires_s
    clock.now += timedelta(days=21)
    await one.round()
    assert api.certificates()["ca.crt"] == first["ca.crt"]
    assert counts.expires_s == ends + timedelta(days=21).total_seconds()
    clock.now += timedelta(days=230)
    api.requests.clear()
    await one.round()
    patches = [request.partition(" ")[2] for request in api.requests if request.startswith("PATCH")]
    assert [path.rpartition("/")[2] for path in patches] == ["zz-ops-sidecar", "ops-sidecar-webhook"]
    assert first["ca.crt"] in next(iter(api.bundles()))
    assert api.certificates()["ca.crt"] != first["ca.crt"]


async def test_a_replica_that_is_too_late_takes_what_is_there(api: ApiServer, cluster: Cluster, clock: Clock) -> None:
    late = keeper(cluster, clock)
    kept = await cluster.certificates("ops-sidecar-webhook")
    await keeper(cluster, clock).round()
    made = api.certificates()
    answers = [kept, await cluster.certificates("ops-sidecar-webhook")]
    cluster.certificates = lambda _: _value(answers.pop(0))  # type: ignore[method-assign]  # it read before the other wrote
    await late.round()
    assert not late.is_ready
    await late.round()
    assert late.is_ready
    assert api.certificates() == made


async def _value(value: object) -> object:
    return value


@pytest.mark.parametrize("wrong", ["bm90IGEgY2VydGlmaWNhdGU=", "!"])
async def test_a_secret_with_something_else_is_made_anew(
    api: ApiServer, cluster: Cluster, clock: Clock, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    api.secret["data"] = dict.fromkeys(("ca.crt", "ca.key", "tls.crt", "tls.key", "bundle.crt"), wrong)
    one = keeper(cluster, clock)
    await one.round()
    assert one.is_ready
    assert "the Secret's certificates cannot be read; making new ones" in caplog.messages


async def test_a_round_that_fails_is_counted_and_the_certificate_stays(
    api: ApiServer, cluster: Cluster, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    counts = Counts()
    one = keeper(cluster, clock, counts)
    await one.round()
    api.fails = True
    with caplog.at_level(logging.WARNING):
        await one.round()
    assert counts.errors == 1
    assert one.is_ready
    assert "500" in str(caplog.records[-1].__dict__["fields"])
    clock.now += timedelta(days=31)
    assert not one.is_ready  # it has ended


def pod(namespace: str, name: str, **labels: str) -> dict[str, object]:
    named = {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()}
    return {"metadata": {"namespace": namespace, "name": name, "labels": named}}


async def test_who_asks_for_a_sidecar_and_has_none_is_counted_and_told(
    api: ApiServer, cluster: Cluster, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    api.namespaces = [{"metadata": {"name": "shop", "labels": {"ops-sidecar/inject": "enabled"}}}]
    api.pods = [
        pod("a", "asks", ops_sidecar__inject="enabled"),
        pod("a", "asks-2", ops_sidecar__inject="enabled"),
        pod("a", "asks-3", ops_sidecar__inject="enabled"),
        pod("a", "has", ops_sidecar__inject="enabled", ops_sidecar__injected="true"),
        pod("a", "silent"),
        pod("shop", "of-the-namespace"),
        pod("shop", "not-this-one", ops_sidecar__inject="disabled"),
    ]
    counts = Counts()
    one = keeper(cluster, clock, counts)
    with caplog.at_level(logging.WARNING):
        await one.round()
        await one.round()
    assert counts.missed == 4
    told = [record.__dict__["fields"] for record in caplog.records]
    assert told == [{"pods": "a/asks, a/asks-2, a/asks-3, shop/of-the-namespace", "all": 4}]


@pytest.mark.parametrize(("count", "more"), [(10, ""), (11, ", ...")])
async def test_of_many_pods_that_were_missed_ten_are_named(
    cluster: Cluster, clock: Clock, count: int, more: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = tuple(f"a/pod-{number}" for number in range(count))
    cluster.missed = lambda: _value(names)  # type: ignore[method-assign]  # so many are slow to make
    await keeper(cluster, clock).round()
    (told,) = (record.__dict__["fields"] for record in caplog.records if record.levelno == logging.WARNING)
    assert told == {"pods": ", ".join(names[:10]) + more, "all": count}


async def test_what_it_changes_is_told(cluster: Cluster, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await keeper(cluster, clock).round()
    ours = [record for record in caplog.records if record.name.startswith("proxy.")]
    assert [(record.getMessage(), record.__dict__["fields"]) for record in ours] == [
        ("the API server has a new bundle of authorities", {"configuration": "zz-ops-sidecar"}),
        ("certificates renewed", {"secret": "ops-sidecar-webhook"}),
    ]


async def test_files_that_somebody_else_renews(tmp_path: Path, clock: Clock) -> None:
    """cert-manager, for example; nothing is asked of the API server outside of a cluster."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    counts = Counts()
    one = Keeper(server_context(), counts, clock=clock, files=(certificate, key))
    await one.round()
    assert (one.is_ready, counts.errors) == (False, 1)
    issued = trustme.CA().issue_cert("webhook", not_after=START + timedelta(days=9))
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    await one.round()
    assert one.is_ready
    assert counts.expires_s == (START + timedelta(days=9)).timestamp()


async def test_it_looks_again_and_again_and_sooner_while_it_has_no_certificate(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every minute, and every two seconds before that."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    one = Keeper(server_context(), Counts(), clock=clock, files=(certificate, key))
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            made = trustme.CA().issue_cert("webhook", not_after=START + timedelta(days=1))
            certificate.write_bytes(made.cert_chain_pems[0].bytes())
            key.write_bytes(made.private_key_pem.bytes())
        if len(waits) == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr("proxy.kubernetes.webhook.keeper.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await one.run()
    assert waits == [2.0, 2.0, 60.0, 60.0]
    clock.now = START + timedelta(days=1)
    assert not one.is_ready
    clock.now -= timedelta(seconds=1)
    assert one.is_ready
