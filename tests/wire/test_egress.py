"""No byte of a trace, a session or baggage goes to a host that is not listed, through any feature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab.peers import Upstream
from lab.sidecar import LISTEN, Sidecar, merged

from ops_lib.hosts import parse_pattern
from ops_lib.propagation import FAMILIES, KNOWN_FORMATS, codec_of
from proxy.participation.egress import Egress
from proxy.plan import PropagationPlan
from proxy.plan.participation import CargoPlan, EgressPlan
from proxy.translate import Translator

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
SECRET = "5ec2e7"  # in each value that must not leave
TRACE = {
    "traceparent": f"00-{T}-{S}-01",
    "tracestate": f"a={SECRET}",
    "b3": f"{T}-{S}-1",
    "X-B3-TraceId": T,
    "X-B3-SpanId": S,
    "X-B3-Sampled": "1",
    "uber-trace-id": f"{T}:{S}:0:1",
    "jaeger-debug-id": SECRET,
    **{
        name.replace("*", "x"): SECRET
        for names in FAMILIES.values()
        for name in names
        if not name.startswith(("ot-baggage", "sw8-corr"))
    },
}
SESSION = {"X-Mirascope-Session-Id": SECRET, "Mirascope-Session-Id": SECRET, "X-Tenant-Session": SECRET}
BAGGAGE = {
    "baggage": f"k={SECRET}",
    "jaeger-baggage": f"k={SECRET}",
    "uberctx-k": SECRET,
    "ot-baggage-k": SECRET,
    "sw8-correlation": SECRET,
}
OURS = {**TRACE, **SESSION, **BAGGAGE}
NOWHERE = {"trace": [], "session": [], "baggage": []}


def as_lines(fields: dict[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()


def is_silent(raw: bytes) -> bool:
    """Whether nothing of OURS is in `raw`, by name or by value."""
    text = raw.decode("latin-1").lower().replace("_", "-")
    return not any(part in text for part in (SECRET, T, S, *(f"{name.lower()}:" for name in OURS)))


@pytest.fixture
def out(start: Callable[..., Sidecar], upstream: Upstream) -> Callable[..., Sidecar]:
    """A sidecar whose outbound listeners let nothing go, unless its settings say otherwise."""

    def make(**more: Any) -> Sidecar:
        base = {"inbound": {"listen": "off"}, "outbound": {"listen": LISTEN}, "egress": NOWHERE}
        names = {"propagation": {"session": {"extract": ["X-Tenant-Session", "X-Mirascope-Session-Id"]}}}
        return start(merged(merged(base, names), more))

    return make


def sent(
    sidecar: Sidecar, upstream: Upstream, fields: bytes, *, listener: str = "outbound", host: bytes = b""
) -> bytes:
    """What the other service sees of a request with `fields`."""
    client = sidecar.client(listener)
    authority = host or upstream.authority
    client.send(b"GET http://%b/ HTTP/1.1\r\nHost: x\r\nX-Kept: 1\r\n%b\r\n" % (authority, fields))
    seen = upstream.answer()
    assert client.response().status == 200
    assert seen.head.value("x-kept") == b"1"
    return b"".join(name + b": " + value + b"\r\n" for name, value in seen.head.fields)


@pytest.mark.parametrize("mode", ["translate", "participate"])
@pytest.mark.parametrize("baggage", ["translate", "pass", "drop"])
def test_nothing_goes_where_nothing_may(
    out: Callable[..., Sidecar], upstream: Upstream, baggage: str, mode: str
) -> None:
    inject = ["composite"] if baggage == "translate" else ["tracecontext"]
    sidecar = out(propagation={"baggage": baggage, "mode": mode, "inject": inject})
    assert is_silent(sent(sidecar, upstream, as_lines(OURS)))
    upper = {name.upper().replace("-", "_"): value for name, value in OURS.items()}
    assert is_silent(sent(sidecar, upstream, as_lines(upper)))
    seen = sent(sidecar, upstream, b"")
    assert is_silent(seen)
    assert b"traceparent" not in seen.lower()
    counted = sidecar.metrics.exchange("outbound", "other").translation.withheld
    assert counted["trace"] >= 1
    assert counted["session"] >= 1


def test_each_has_a_list_of_its_own(out: Callable[..., Sidecar], upstream: Upstream) -> None:
    fields = {"traceparent": f"00-{T}-{S}-01", "X-Mirascope-Session-Id": "s-1", "baggage": "k=v"}
    kept = {"trace": b"traceparent:", "session": b"x-mirascope-session-id:", "baggage": b"baggage:"}
    for what, name in kept.items():
        seen = sent(out(egress={what: ["127.0.0.0/8"]}), upstream, as_lines(fields)).lower()
        assert [other for other in kept.values() if other in seen] == [name]


def test_to_a_host_that_is_listed_all_goes_as_before(out: Callable[..., Sidecar], upstream: Upstream) -> None:
    there = ["127.0.0.1"]
    sidecar = out(egress={"trace": there, "session": there, "baggage": there})
    fields = {"b3": f"{T}-{S}-1", "X-Mirascope-Session-Id": "s-1", "baggage": "k=v", "sw8": "1"}
    seen = sent(sidecar, upstream, as_lines(fields)).lower()
    for part in (f"traceparent: 00-{T}-{S}-01", "x-mirascope-session-id: s-1", "baggage: k=v", "sw8: 1"):
        assert part.encode() in seen
    assert sidecar.metrics.exchange("outbound", "other").translation.withheld == {}


def test_what_counts_is_where_it_really_goes(out: Callable[..., Sidecar], upstream: Upstream) -> None:
    """Not what the request says: the upstream's target."""
    other = {"name": "third", "match": ["listed.internal"], "target": upstream.url, "listen": LISTEN}
    lists = {"trace": ["listed.internal"], "session": ["listed.internal"], "baggage": ["listed.internal"]}
    sidecar = out(egress=lists, upstreams=[other])
    assert is_silent(sent(sidecar, upstream, as_lines(OURS), host=b"listed.internal"))
    assert is_silent(sent(sidecar, upstream, as_lines(OURS), listener="third", host=b"listed.internal"))


@pytest.mark.parametrize("allowed", ["session", "trace"])
def test_baggage_goes_without_what_it_holds_of_others(
    out: Callable[..., Sidecar], upstream: Upstream, allowed: str
) -> None:
    sidecar = out(egress={"baggage": ["*"], allowed: ["*"]}, propagation={"baggage": "pass"})
    line = f"baggage: k=v,session.id={SECRET}s,sentry-trace_id={SECRET}t\r\n".encode()
    seen = sent(sidecar, upstream, line)
    assert b"k=v" in seen
    assert (b"sentry" in seen, b"session.id" in seen) == (allowed == "trace", allowed == "session")


def test_the_bridge_is_closed_too(out: Callable[..., Sidecar], upstream: Upstream) -> None:
    sidecar = out(egress={"baggage": ["*"], "trace": ["*"]}, propagation={"session": {"bridge": True}})
    seen = sent(sidecar, upstream, f"X-Mirascope-Session-Id: {SECRET}\r\nbaggage: k=v\r\n".encode())
    assert b"k=v" in seen
    assert SECRET.encode() not in seen


def test_trailers_carry_nothing(out: Callable[..., Sidecar], upstream: Upstream) -> None:
    client = out(propagation={"baggage": "pass"}).client("outbound")
    head = b"POST http://%b/ HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nTrailer: baggage, X-Sum\r\n" % upstream.authority
    client.send(head + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n" + as_lines(OURS) + b"\r\n")
    far = upstream.busy()
    raw = far.until(b"X-Sum: 1\r\n") + far.until(b"\r\n")
    far.reply()
    assert client.response("POST").status == 200
    assert is_silent(raw)
    assert b"baggage" not in raw.lower()


def test_an_upgrade_carries_nothing(out: Callable[..., Sidecar], upstream: Upstream) -> None:
    client = out().client("outbound")
    line = b"GET http://%b/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" % upstream.authority
    client.send(line + as_lines(OURS) + b"\r\n")
    far = upstream.accept()
    raw = far.until(b"\r\n\r\n")
    assert b"Upgrade: websocket" in raw
    assert is_silent(raw)
    far.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    client.until(b"\r\n\r\n")


def test_a_retry_carries_nothing(out: Callable[..., Sidecar], upstream: Upstream) -> None:
    sidecar = out()
    client = sidecar.client("outbound")
    request = b"GET http://%b/ HTTP/1.1\r\nHost: x\r\n%b\r\n" % (upstream.authority, as_lines(OURS))
    client.send(request)
    upstream.answer()
    assert client.response().status == 200
    client.send(request)
    upstream.busy().close()  # just when it is used again
    seen = upstream.answer()
    assert client.response().status == 200
    assert sidecar.metrics.upstream("other").retries == 1
    assert is_silent(b"".join(name + b": " + value for name, value in seen.head.fields))


def test_the_fields_of_a_connect_never_leave(out: Callable[..., Sidecar], upstream: Upstream) -> None:
    client = out().client("outbound")
    target = upstream.authority
    client.send(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, target, as_lines(OURS)))
    far = upstream.accept()
    client.until(b"\r\n\r\n")
    client.send(b"first")
    assert far.exactly(5) == b"first"  # and nothing before it


NAMES = [
    *OURS,
    *(name for format in KNOWN_FORMATS for name in codec_of(format).headers),
    "uberctx-session.id",
    "X-Datadog-Trace-Id",
    "X-Other",
]
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(NAMES).flatmap(
            lambda name: st.sampled_from([name, name.upper(), name.lower().replace("-", "_")])
        ),
        st.one_of(
            st.sampled_from([*OURS.values(), f"{T}-{S}-d", f"session.id={SECRET}", f"sentry-trace_id={T},a=b"]),
            st.text("abc019;=,%- ", max_size=20),
        ),
    ),
    max_size=12,
)
PLANS = st.builds(
    lambda inject, baggage, mode, bridge, clear: PropagationPlan(
        tuple(KNOWN_FORMATS), tuple(inject), mode, session_bridge=bridge, baggage=baggage, clear=tuple(clear)
    ),
    st.lists(st.sampled_from(KNOWN_FORMATS), min_size=1, max_size=3, unique=True),
    st.sampled_from(["translate", "pass", "drop"]),
    st.sampled_from(["translate", "participate"]),
    st.booleans(),
    st.lists(st.sampled_from(sorted(FAMILIES)), max_size=1),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(PLANS, HEADERS, st.builds(CargoPlan, st.booleans(), st.booleans(), st.booleans()))
def test_whatever_comes_nothing_goes_that_may_not(
    plan: PropagationPlan, headers: list[tuple[str, str]], allowed: CargoPlan
) -> None:
    """Of the pure translator: what it does not own is plain, and what it writes may go."""
    translator = Translator(plan, allowed=allowed, session_names={"x-tenant-session"})
    raw = [(name.encode(), value.encode()) for name, value in headers]
    owned = [field for field in raw if translator.owns(field[0])]
    out = [field for field in raw if field not in owned] + translator.translate(owned).headers
    names = {name.decode().lower().replace("_", "-"): value.decode() for name, value in out}
    if not allowed.trace:
        assert not names.keys() & {name.lower() for name in TRACE}
        assert not any(name.startswith("x-datadog") for name in names)
        assert "sentry-trace" not in names.get("baggage", "").lower()
    if not allowed.session:
        assert not names.keys() & {name.lower() for name in SESSION}
        assert "uberctx-session.id" not in names
        assert "session.id" not in names.get("baggage", "")
    if not allowed.baggage:
        assert not any(name in BAGGAGE or name.startswith("uberctx-") for name in names)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(headers=HEADERS)
def test_whatever_comes_by_a_real_socket(shut_off: Sidecar, upstream: Upstream, headers: list[tuple[str, str]]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers if "other" not in name.lower())
    seen = sent(shut_off, upstream, lines.encode()).lower()
    assert is_silent(seen)


@pytest.fixture
def shut_off(out: Callable[..., Sidecar]) -> Sidecar:
    return out(propagation={"mode": "participate", "baggage": "pass"})


def test_a_unix_socket_is_localhost() -> None:
    egress = Egress(EgressPlan(trace=(parse_pattern("localhost"),)))
    assert egress.allowed("", 0).trace
    assert not egress.allowed("example.com", 443).trace


def test_an_address_in_any_spelling_is_what_it_is() -> None:
    egress = Egress(EgressPlan(trace=(parse_pattern("10.0.0.0/8"),)))
    assert egress.allowed("0x0a000001", 80) == CargoPlan(True, True, True)
    assert not egress.allowed("11.0.0.1", 80).trace


def test_what_is_carried_over_stays_here_too(out: Callable[..., Sidecar], upstream: Upstream) -> None:
    """Of the request at the app: its tracestate, session and baggage are put back on calls to listed hosts alone."""
    sidecar = out(inbound={"listen": LISTEN, "app": upstream.url, "propagation": {"inject": ["b3"]}})
    client = sidecar.client()
    came = {"traceparent": f"00-{T}-{S}-01", "tracestate": f"a={SECRET}", **SESSION, "baggage": f"k={SECRET}"}
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % as_lines(came))
    app = upstream.busy()
    app.request()
    assert is_silent(sent(sidecar, upstream, f"b3: {T}-{S}-1\r\n".encode()))
    assert is_silent(sent(sidecar, upstream, b""))  # joined to it: the only request in flight
    app.reply()
    assert client.response().status == 200
