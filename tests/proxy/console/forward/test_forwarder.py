"""What is received leaves as it came, for another collector."""

from __future__ import annotations

import gzip
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from lab.collectors import Collector, answer, collecting
from lab.consoles import WAIT_S, Start, sent, span

from proxy.console.forward.forwarder import Forwarder
from proxy.plan.console import ForwardPlan

BODY = gzip.compress(sent(span(1)).SerializeToString())
HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}


def forwarder(collector: Collector, scheme: str = "http", **more: Any) -> Forwarder:
    made = Forwarder(ForwardPlan(url=f"{scheme}://localhost:{collector.port}", **more), chance=lambda: 0.0)
    made.start()
    return made


async def test_it_leaves_as_it_came(start_console: Start) -> None:
    with collecting() as collector:
        plan = ForwardPlan(url=f"http://127.0.0.1:{collector.port}/base", headers={"X-Key": "secret"})
        console = await start_console(forward=plan)
        response = await console.client.post(f"{console.otlp}/v1/traces", data=BODY, headers=HEADERS)
        assert response.status == 200
        head, body = collector.next()
    assert body == BODY
    assert head.startswith(b"POST /base/v1/traces ")
    assert b"x-key: secret" in head.lower()
    assert b"content-encoding: gzip" in head.lower()


def test_what_does_not_fit_is_counted() -> None:
    with collecting(lambda connection: None) as collector:
        sender = forwarder(collector, queue_bytes=2000, timeout_s=30.0)
        for _ in range(10):
            sender.add("traces", b"x" * 900, HEADERS)
        assert sender.counts.dropped["queue-full"] >= 8
        sender.stop(0.0)


def test_a_silent_collector_is_tried_again() -> None:
    with collecting(answer(503)) as collector:
        sender = forwarder(collector, timeout_s=0.2)
        sender.add("logs", b"", HEADERS)
        assert collector.next()[0].startswith(b"POST /v1/logs ")
        assert collector.next()[0].startswith(b"POST /v1/logs ")
        sender.stop(WAIT_S)
        assert (sender.counts.sent, sender.counts.retries) == (1, 1)


def test_a_silent_collector_is_given_up() -> None:
    with collecting(answer(503), answer(503)) as collector:
        sender = forwarder(collector, give_up_s=0.1)
        sender.add("traces", b"", HEADERS)
        collector.next()
        sender.stop(WAIT_S)
        assert sender.counts.dropped == {"retries-exhausted": 1}


@pytest.mark.parametrize("verify", [True, False])
def test_over_tls(tmp_path: Path, verify: bool) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    ours = authority.issue_cert("console.internal")
    files = {"ca_file": tmp_path / "ca.pem", "cert_file": tmp_path / "cert.pem", "key_file": tmp_path / "key.pem"}
    authority.cert_pem.write_to_path(files["ca_file"])
    ours.cert_chain_pems[0].write_to_path(files["cert_file"])
    ours.private_key_pem.write_to_path(files["key_file"])
    named = {name: str(path) for name, path in files.items() if verify or name != "ca_file"}
    with collecting(tls=context) as collector:
        sender = forwarder(collector, "https", verify=verify, **named)
        sender.add("traces", b"body", HEADERS)
        assert collector.next()[1] == b"body"
        sender.stop(WAIT_S)
