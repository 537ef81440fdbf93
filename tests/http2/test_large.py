"""Large content in both directions at once, over connections that read into one place."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import trustme
from lab.rpc import SERVICE, Service
from lab.sidecar import Sidecar

Start = Callable[..., Sidecar]

CALLERS = 4
MESSAGE_BYTES = 3_000_000


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def ca(request: pytest.FixtureRequest) -> trustme.CA | None:
    return trustme.CA() if request.param else None


@pytest.fixture
def app(ca: trustme.CA | None) -> Iterator[str]:
    service = Service()
    server = grpc.server(ThreadPoolExecutor(CALLERS), handlers=[service.handler])
    if ca is None:
        url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    else:
        issued = ca.issue_cert("127.0.0.1")
        pair = [(issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())]
        url = f"https://127.0.0.1:{server.add_secure_port('127.0.0.1:0', grpc.ssl_server_credentials(pair))}"
    server.start()
    yield url
    server.stop(None).wait()
    service.close()


def test_each_gets_what_is_its_own(start: Start, app: str, ca: trustme.CA | None, tmp_path: Path) -> None:
    inbound: dict[str, object] = {"app": app, "http2": "always"}
    if ca is not None:
        issued = ca.issue_cert("127.0.0.1")
        paths = {name: str(tmp_path / f"{name}.pem") for name in ("ca", "cert", "key")}
        ca.cert_pem.write_to_path(paths["ca"])
        issued.cert_chain_pems[0].write_to_path(paths["cert"])
        issued.private_key_pem.write_to_path(paths["key"])
        inbound["listen_tls"] = {"cert_file": paths["cert"], "key_file": paths["key"]}
        inbound["tls"] = {"ca_file": paths["ca"]}
    sidecar = start({"inbound": inbound})
    target = f"127.0.0.1:{sidecar.addresses['inbound'].port}"

    def call(seed: int) -> bool:
        own = [("grpc.use_local_subchannel_pool", 1)]
        if ca is None:
            channel = grpc.insecure_channel(target, own)
        else:
            channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(ca.cert_pem.bytes()), own)
        with channel:
            echo = channel.unary_unary(f"/{SERVICE}/Echo")
            messages = [random.Random(f"{seed} {number}").randbytes(MESSAGE_BYTES) for number in range(3)]
            return all(echo(message, timeout=30) == message for message in messages)

    with ThreadPoolExecutor(CALLERS) as pool:
        assert list(pool.map(call, range(CALLERS))) == [True] * CALLERS
    assert sidecar.call(lambda: sidecar.plane._http2._flusher._buffer) is not None  # some read into it
