"""Settings -> Plan: what is said once, for a listener and for an upstream comes together key by key."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from ops_lib.propagation import FORMATS, Format
from proxy.plan import Address, Plan
from proxy.plan.compile import compile_plan
from proxy.plan.participation import LinkingPlan
from proxy.settings import load


def plan(tmp_path: Path, text: str) -> Plan:
    file = tmp_path / "f.yaml"
    file.write_text(text, encoding="utf-8")
    return compile_plan(load(file, environ={}).settings, 7)


def test_the_defaults_make_an_inbound_and_an_outbound_listener(tmp_path: Path) -> None:
    made = plan(tmp_path, "")
    assert made.generation == 7
    assert made.admin == Address("127.0.0.1", 9082)
    inbound, outbound = made.listeners
    assert (inbound.name, inbound.direction, inbound.binds) == ("inbound", "inbound", (Address("0.0.0.0", 9080),))
    assert inbound.fixed_upstream
    assert not inbound.connect
    app = inbound.router.route("whatever", 80)
    assert app.name == "app"
    assert app.target is not None
    assert app.target.address == Address("127.0.0.1", 8080)
    assert (outbound.name, outbound.direction, outbound.binds) == (
        "outbound",
        "outbound",
        (Address("127.0.0.1", 9081),),
    )
    assert outbound.connect
    assert not outbound.fixed_upstream
    other = outbound.router.route("example.com", 80)
    assert (other.name, other.target) == ("other", None)
    assert other.propagation.inject == (Format.TRACECONTEXT,)
    assert other.propagation.extract == FORMATS


def test_listeners_can_be_off(tmp_path: Path) -> None:
    made = plan(tmp_path, "inbound: {listen: off}\nadmin: {listen: null}\n")
    assert [listener.name for listener in made.listeners] == ["outbound"]
    assert made.admin is None


def test_nothing_is_linked_if_the_apps_calls_go_elsewhere(tmp_path: Path) -> None:
    """So nothing is remembered for it, either."""
    linked, not_linked = LinkingPlan(("x-request-id", "x-correlation-id")), LinkingPlan((), process=False, single=False)
    assert plan(tmp_path, "").linking == linked
    assert plan(tmp_path, "outbound: {listen: off}\n").linking == not_linked
    own = "outbound: {listen: off}\nupstreams: [{name: b, listen: '127.0.0.1:1', target: 'http://b'}]\n"
    assert plan(tmp_path, own).linking == linked


def test_narrow_is_laid_over_wide_key_by_key(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        """\
propagation: {inject: [jaeger], on_defer: accept, session: {bridge: true}}
timeouts: {connect_s: 1, idle_s: 1, queue_s: 1}
limits: {header_count: 10}
clients: {half_close: serve}
pool: {max_idle: 1}
forwarding: {via: false}
inbound:
  propagation: {inject: [b3multi]}
  limits: {body_bytes: 1KiB}
outbound:
  timeouts: {idle_s: 2, queue_s: 2}
  propagation: {session: {inject: X-S}}
  forwarding: {x_forwarded: false}
upstreams:
  - name: a
    match: a
    listen: "127.0.0.1:1"
    target: "http://a"
    timeouts: {queue_s: 3}
    propagation: {session: {inject: X-A}, lossless: false, baggage: drop, mode: participate}
    limits: {connections: 5}
    clients: {half_close: abandon}
    forwarding: {via: true}
    pool: {max_connections: 2}
""",
    )
    inbound, outbound, own = made.listeners
    app = inbound.router.route("", 0)
    assert app.propagation.inject == (Format.B3MULTI,)
    assert app.propagation.on_defer == 1.0
    assert (app.timeouts.connect_s, app.timeouts.idle_s) == (1, 1)
    assert (inbound.limits.header_count, inbound.limits.body_bytes) == (10, 1024)
    assert (inbound.via, inbound.x_forwarded) == (False, True)
    assert (outbound.via, outbound.x_forwarded) == (False, False)
    assert outbound.limits.body_bytes == 0
    assert [one.clients.half_close for one in made.listeners] == ["serve", "serve", "abandon"]
    other = outbound.router.route("b", 80)
    assert (other.timeouts.connect_s, other.timeouts.idle_s, other.timeouts.queue_s) == (1, 2, 2)
    assert (other.propagation.session_inject, other.propagation.session_bridge) == ("X-S", True)
    a = outbound.router.route("a", 80)
    assert own.router.route("anything", 1) == replace(a, preserve_host=False)
    assert a.preserve_host
    assert (a.timeouts.connect_s, a.timeouts.idle_s, a.timeouts.queue_s) == (1, 2, 3)
    assert (a.propagation.session_inject, a.propagation.session_bridge) == ("X-A", True)
    assert (a.propagation.lossless, a.propagation.baggage, a.propagation.mode) == (False, "drop", "participate")
    assert a.propagation.inject == (Format.JAEGER,)
    assert (a.pool.max_connections, a.pool.max_idle) == (2, 1)
    assert (own.name, own.direction, own.fixed_upstream, own.binds) == (
        "a",
        "outbound",
        True,
        (Address("127.0.0.1", 1),),
    )
    assert (own.limits.connections, own.limits.header_count) == (5, 10)
    assert (own.via, own.x_forwarded) == (True, False)


def test_the_app_may_be_a_unix_socket(tmp_path: Path) -> None:
    made = plan(tmp_path, "inbound: {app: 'unix:/run/app.sock', host: target}")
    app = made.listeners[0].router.route("", 0)
    assert app.target is not None
    assert app.target.address == Address(unix_path="/run/app.sock")
    assert app.target.tls is None
    assert not app.preserve_host


def test_an_https_target_is_verified_against_its_own_ca(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca)
    made = plan(
        tmp_path,
        f"""\
outbound: {{listen: off}}
inbound: {{app: 'https://app.internal', tls: {{ca_file: '{ca}'}}}}
upstreams:
  - {{name: b, listen: '127.0.0.1:1', target: 'https://b:8443', host: target, tls: {{verify: false, server_name: c}}}}
""",
    )
    target = made.listeners[0].router.route("", 0).target
    assert target is not None
    assert target.tls is not None
    assert target.tls.verify_mode is ssl.CERT_REQUIRED
    assert target.tls.check_hostname
    assert len(target.tls.get_ca_certs()) == 1
    assert (target.server_name, target.address.port) == ("app.internal", 443)
    other = made.listeners[1].router.route("", 0).target
    assert other is not None
    assert other.tls is not None
    assert other.tls.verify_mode is ssl.CERT_NONE
    assert (other.server_name, other.authority) == ("c", "b:8443")


def test_a_certificate_that_has_gone_is_an_error(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca)
    file = tmp_path / "f.yaml"
    file.write_text(f"inbound: {{app: 'https://a', tls: {{ca_file: '{ca}'}}}}", encoding="utf-8")
    settings = load(file, environ={}).settings
    ca.unlink()
    with pytest.raises(FileNotFoundError):
        compile_plan(settings, 1)
