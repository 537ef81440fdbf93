"""config/examples: each is run, and translates as its first lines say, on the way in and on the way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar, merged

CONFIG = Path(__file__).parents[2] / "config"
TRACE, SPAN = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
HEADERS = {
    "tracecontext": {b"traceparent": b"00-%b-%b-01" % (TRACE, SPAN)},
    "b3multi": {b"x-b3-traceid": TRACE, b"x-b3-spanid": SPAN, b"x-b3-sampled": b"1"},
    "jaeger": {b"uber-trace-id": b"%b:%b:0:1" % (TRACE, SPAN)},
}
# file, what callers send, what the app gets (and sends), what other services get
ROWS = [
    ("examples/b3-service.yaml", "tracecontext", "b3multi", "tracecontext"),
    ("examples/w3c-service.yaml", "b3multi", "tracecontext", "b3multi"),
    ("examples/jaeger-service.yaml", "tracecontext", "jaeger", "tracecontext"),
]


def request(host: bytes, format: str) -> bytes:
    fields = b"".join(b"%b: %b\r\n" % pair for pair in HEADERS[format].items())
    return b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n" + fields + b"\r\n"


def traced(message: Any) -> dict[bytes, bytes]:
    """Its trace headers, without what is optional."""
    known = {name for headers in HEADERS.values() for name in headers}
    return {name.lower(): value for name, value in message.head.fields if name.lower() in known}


def settings_of(file: str, app: str) -> dict[str, Any]:
    """The file's settings, at addresses that are free here, without upstreams that only exist elsewhere."""
    written = yaml.safe_load((CONFIG / file).read_text(encoding="utf-8"))
    written.pop("upstreams", None)
    here = {"inbound": {"listen": LISTEN, "app": app}, "outbound": {"listen": LISTEN}, "admin": {"listen": "off"}}
    return merged(written, here)


@pytest.mark.parametrize(("file", "callers", "app", "others"), ROWS, ids=[row[0] for row in ROWS])
def test_it_translates(
    start: Callable[..., Sidecar], upstream: Upstream, file: str, callers: str, app: str, others: str
) -> None:
    sidecar = start(settings_of(file, upstream.url))
    client = sidecar.client()
    client.send(request(b"a", callers))
    assert traced(upstream.answer()) == HEADERS[app]
    client.response()
    call = sidecar.client("outbound")
    call.send(request(upstream.authority, app))
    assert traced(upstream.answer()) == HEADERS[others]
    call.response()
