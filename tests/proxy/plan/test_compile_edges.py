"""What each key of the settings becomes in the plan, where no other test looks at it, and what the defaults are."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from lab.sidecar import plan_of

from proxy.address import Address
from proxy.plan import Plan
from proxy.plan.console import ConsolePlan, ForwardPlan, from_json, to_json
from proxy.plan.export import Endpoint
from proxy.plan.participation import EgressPlan, InFlightPlan, LinkingPlan, SamplingPlan, TrustPlan
from proxy.plan.report import ReportPlan
from proxy.plan.tls import TlsContexts
from proxy.plan.upstream import SpansPlan, UpstreamPlan, UpstreamTarget
from proxy.settings.sections.section import TlsClientSettings


def plan(**sections: Any) -> Plan:
    return plan_of(sections, 1)


def app(made: Plan) -> UpstreamPlan:
    return made.listeners[0].router.route("", 0)


COLLECTOR = "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("url", "traces", "metrics"),
    [
        (COLLECTOR, f"{COLLECTOR}/v1/traces", f"{COLLECTOR}/v1/metrics"),
        (f"{COLLECTOR}/in", f"{COLLECTOR}/in/v1/traces", f"{COLLECTOR}/in/v1/metrics"),
        ("http://[::1]:1", "http://[::1]:1/v1/traces", "http://[::1]:1/v1/metrics"),
        ("https://c", "https://c:4318/v1/traces", "https://c:4318/v1/metrics"),
    ],
)
def test_signals_have_paths_below_the_common_endpoint(url: str, traces: str, metrics: str) -> None:
    export = plan(export={"endpoint": url, "metrics": True}).export
    assert (str(export.traces), str(export.metrics)) == (traces, metrics)
    assert (export.traces is not None and export.traces.tls is not None) is url.startswith("https")


def test_a_signals_own_endpoint_is_used_as_it_is() -> None:
    export = plan(export={"traces_endpoint": "http://t:1", "metrics_endpoint": "http://m:2/x", "metrics": True}).export
    assert (str(export.traces), str(export.metrics)) == ("http://t:1/", "http://m:2/x")
    alone = plan(export={"traces_endpoint": "http://t:1/y"}).export
    assert (str(alone.traces), alone.metrics) == ("http://t:1/y", None)


def test_signals_can_be_off() -> None:
    off = plan(export={"endpoint": COLLECTOR, "traces": False}).export
    assert (off.traces, off.metrics) == (None, None)
    nothing = plan().export
    assert (nothing.traces, nothing.metrics) == (None, None)


def test_what_an_endpoint_is_told() -> None:
    export = plan(
        export={
            "endpoint": COLLECTOR, "headers": {"X-A": "1", "X-B": "2"}, "timeout_s": 3, "compression": "gzip",
            "batch_spans": 7, "delay_s": 2, "queue_bytes": "1MiB", "queue_spans": 9, "give_up_s": 30, "flush_s": 4,
            "metrics_interval_s": 20,
        }
    ).export  # fmt: skip
    assert export.traces == Endpoint("127.0.0.1", 4318, "/v1/traces", None, (("X-A", "1"), ("X-B", "2")), 3, gzip=True)
    assert (export.batch_spans, export.delay_s, export.queue_bytes, export.queue_spans) == (7, 2, 1 << 20, 9)
    assert (export.give_up_s, export.flush_s, export.metrics_interval_s) == (30, 4, 20)
    plain = plan(export={"endpoint": COLLECTOR, "compression": "none"}).export.traces
    assert plain is not None
    assert (plain.gzip, plain.headers) == (False, ())


def test_a_service_has_one_name() -> None:
    assert plan().export.resource == (("service.name", "unknown_service:ops-sidecar"),)
    made = plan(service={"name": "shop", "attributes": {"service.name": "other", "a": "1", "b": "2"}})
    assert made.export.resource == (("service.name", "shop"), ("a", "1"), ("b", "2"))
    assert plan(service={"name": "shop"}, console={"report": {"endpoint": COLLECTOR}}).report.resource == (
        ("service.name", "shop"),
    )


def test_spans_decide_whether_the_sidecar_takes_part() -> None:
    assert app(plan()).propagation.mode == "translate"
    assert app(plan(export={"endpoint": COLLECTOR})).propagation.mode == "participate"
    assert app(plan(export={"endpoint": COLLECTOR, "traces": False})).propagation.mode == "translate"
    assert app(plan(propagation={"mode": "participate"})).propagation.mode == "participate"
    forced = plan(export={"endpoint": COLLECTOR}, propagation={"mode": "translate"})
    assert app(forced).propagation.mode == "translate"


def test_propagation_key_by_key() -> None:
    made = app(
        plan(
            propagation={
                "extract": ["b3"], "inject": ["jaeger"], "baggage": "drop",
                "session": {"inject": "X-S", "extract": ["X-T"], "bridge": True}, "carry_over": False,
                "on_defer": "deny", "grpc_unsampled": "defer", "lossless": False,
                "clear": ["datadog"], "mirror": True, "response_header": "X-Trace",
            },
            sampling={"root": 0.25, "per_second": 5, "parent_based": False},
        )
    ).propagation  # fmt: skip
    assert [str(one) for one in (*made.extract, *made.inject)] == ["b3", "jaeger"]
    assert (made.session_inject, made.session_extract, made.session_bridge) == ("X-S", ("X-T",), True)
    assert (made.baggage, made.on_defer, made.grpc_unsampled, made.lossless) == ("drop", 0.0, "defer", False)
    assert (made.carry_over, made.clear, made.mirror, made.response_header) == (False, ("datadog",), True, "X-Trace")
    assert (made.sampling, made.shadow) == (SamplingPlan(0.25, 5, False), None)


def test_a_shadow_is_the_same_but_for_its_keys() -> None:
    made = app(plan(propagation={"inject": ["b3"], "mirror": True, "shadow": {"inject": ["tracecontext"]}})).propagation
    shadow = made.shadow
    assert shadow is not None
    assert (made.mirror, shadow.mirror, shadow.shadow) == (True, False, None)
    assert ([str(one) for one in shadow.inject], shadow.extract) == (["tracecontext"], made.extract)
    deferring = app(plan(propagation={"shadow": {"on_defer": "deny"}})).propagation
    assert deferring.shadow is not None
    assert (deferring.on_defer, deferring.shadow.on_defer) == (1.0, 0.0)


def test_spans_and_their_routes() -> None:
    routes = plan(spans={"routes": ["/a/{id}"], "query": True})
    assert [one.spans for listener in routes.listeners for one in listener.router.upstreams()] == [
        SpansPlan(("/a/{id}",), True)
    ] * 2
    assert app(plan()).spans == SpansPlan((), False)


# --- listeners


def test_inbound_and_outbound_differ_in_what_they_tell() -> None:
    inbound, outbound = plan().listeners
    assert [(one.via, one.x_forwarded) for one in (inbound, outbound)] == [(False, True), (True, False)]
    assert [(one.fixed_upstream, one.connect, one.transparent) for one in (inbound, outbound)] == [
        (True, False, False), (False, True, False),
    ]  # fmt: skip
    assert [one.explain for one in (inbound, outbound)] == [False, False]
    assert all(one.explain for one in plan(log={"level": "debug"}).listeners)
    for forced in (True, False):
        made = plan(forwarding={"via": forced, "x_forwarded": forced}).listeners
        assert [(one.via, one.x_forwarded) for one in made] == [(forced, forced)] * 2


def test_transparent_listeners_and_tunnels() -> None:
    made = plan(inbound={"transparent": True}, outbound={"connect": False, "transparent": True})
    assert [(one.connect, one.transparent) for one in made.listeners] == [(False, True), (False, True)]


OWN = {"name": "b", "match": ["b.internal"], "listen": "127.0.0.1:1", "target": "http://b:81"}


@pytest.mark.parametrize(
    ("host", "outbound", "own"), [("auto", True, False), ("preserve", True, True), ("target", False, False)]
)
def test_whose_host_an_upstream_gets(host: str, outbound: bool, own: bool) -> None:
    upstream = OWN if host == "auto" else {**OWN, "host": host}
    _, shared, single = plan(upstreams=[upstream]).listeners
    assert shared.router.route("b.internal", 80).preserve_host is outbound
    assert single.router.route("b.internal", 80).preserve_host is own
    assert (single.name, single.fixed_upstream, single.connect) == ("b", True, False)


@pytest.mark.parametrize(("host", "kept"), [("preserve", True), ("target", False)])
def test_whose_host_the_app_gets(host: str, kept: bool) -> None:
    assert app(plan(inbound={"host": host})).preserve_host is kept


def test_http2_of_an_upstream_is_its_own_or_that_of_all() -> None:
    made = plan(
        outbound={"http2": "never"},
        upstreams=[OWN, {**OWN, "name": "c", "match": ["c"], "listen": "127.0.0.1:2", "http2": "always"}],
    )
    router = made.listeners[1].router
    found = [router.route(name, 80).pool.http2 for name in ("b.internal", "c", "elsewhere")]
    assert found == ["never", "always", "never"]
    assert app(plan(inbound={"http2": "always"})).pool.http2 == "always"


def test_destinations_are_for_outbound_alone() -> None:
    inbound, outbound, own = plan(upstreams=[OWN]).listeners
    assert app(plan()).pool.destinations is None
    found = {id(one.pool.destinations) for listener in (outbound, own) for one in listener.router.upstreams()}
    assert len(found) == 1
    assert inbound.egress == EgressPlan()


def test_pools_have_what_timeouts_say() -> None:
    pool = app(plan(timeouts={"tcp_keepalive_s": 7, "ping_s": 8}, pool={"max_idle": 3})).pool
    assert (pool.tcp_keepalive_s, pool.ping_s, pool.max_idle) == (7, 8, 3)


def test_trust_is_of_the_listener_that_it_names() -> None:
    made = plan(
        trust=[
            {"name": "mesh", "peers": ["10.0.0.0/8"], "baggage": False},
            {"names": ["*.internal"], "ids": "restart", "decision": False},
        ]
    )
    inbound, outbound = made.listeners
    assert [one.name for one in inbound.trust] == ["mesh", "1"]
    assert [one.trust for one in inbound.trust] == [TrustPlan(baggage=False), TrustPlan("restart", decision=False)]
    assert [(len(one.peers), one.names) for one in inbound.trust] == [(1, ()), (0, ("*.internal",))]
    assert outbound.trust == ()


def test_egress_is_of_outbound_listeners() -> None:
    inbound, outbound, own = plan(egress={"trace": ["a"], "baggage": []}, upstreams=[OWN]).listeners
    assert inbound.egress == EgressPlan()
    assert outbound.egress == own.egress
    parts = (own.egress.trace, own.egress.session, own.egress.baggage)
    assert [None if part is None else len(part) for part in parts] == [1, None, 0]


def test_sessions_are_known_by_every_name_that_holds_one() -> None:
    made = plan(
        propagation={"session": {"inject": "X-S", "extract": ["X-T"]}},
        upstreams=[{**OWN, "propagation": {"session": {"inject": "X-U"}}}],
    )
    assert {one.session_names for one in made.listeners} == {frozenset(("X-S", "X-T", "X-U"))}


# --- the process


@pytest.mark.parametrize(
    ("sections", "linger_s"),
    [
        ({}, 30), ({"drain": {"timeout_s": 7}}, 7), ({"inbound": {"listen": "off"}}, 5),
        ({"drain": {"outbound_linger_s": 3}}, 3),
        ({"drain": {"outbound_linger_s": 3}, "inbound": {"listen": "off"}}, 3),
    ],
)  # fmt: skip
def test_how_long_outbound_lingers(sections: dict[str, Any], linger_s: float) -> None:
    assert plan(**sections).drain.outbound_linger_s == linger_s


def test_the_process_key_by_key() -> None:
    made = plan(
        admin={"listen": "127.0.0.1:1", "public_listen": "127.0.0.1:2"}, drain={"grace_s": 1, "timeout_s": 2},
        restart={"reuse_port": True}, inbound={"exit_with_app_s": 9},
        in_flight={"max_requests": 1, "max_bytes": 4096, "max_age_s": 3},
        linking={"headers": ["X-Id"], "process": False, "single": False}, console={"listen": "127.0.0.1:3"},
    )  # fmt: skip
    assert (made.admin, made.public) == (Address("127.0.0.1", 1), (Address("127.0.0.1", 2),))
    assert (made.drain.grace_s, made.drain.timeout_s, made.reuse_port, made.exit_with_app_s) == (1, 2, True, 9)
    assert made.in_flight == InFlightPlan(1, 4096, 3)
    assert made.linking == LinkingPlan(("x-id",), process=False, single=False)
    assert made.console_page == Address("127.0.0.1", 3)
    assert (plan().public, plan().reuse_port, plan().exit_with_app_s, plan().console_page) == ((), False, 0, None)
    assert plan(inbound={"listen": "off", "exit_with_app_s": 9}).exit_with_app_s == 0


# --- the console


def test_a_console_beside_the_sidecar_gets_its_spans_and_reports() -> None:
    made = plan(console={"listen": "127.0.0.1:9083", "otlp": "0.0.0.0:4318", "otlp_token": "t" * 40})
    bearer = (("Authorization", "Bearer " + "t" * 40),)
    assert made.export.traces is not None
    assert (str(made.export.traces), made.export.traces.headers) == ("http://127.0.0.1:4318/v1/traces", bearer)
    assert made.report.logs is not None
    assert made.report.metrics is not None
    assert (str(made.report.logs), made.report.logs.headers) == ("http://127.0.0.1:4318/v1/logs", bearer)
    assert (str(made.report.metrics), made.report.logs.gzip) == ("http://127.0.0.1:4318/v1/metrics", True)
    six = plan(console={"listen": "127.0.0.1:9083", "otlp": "[::]:4318"})
    assert str(six.report.logs) == "http://[::1]:4318/v1/logs"
    elsewhere = plan(console={"listen": "127.0.0.1:9083", "otlp": "127.0.0.1:4318"}, export={"endpoint": "http://c:1"})
    assert (str(elsewhere.export.traces), str(elsewhere.report.logs)) == (
        "http://c:1/v1/traces",
        "http://127.0.0.1:4318/v1/logs",
    )
    assert plan(console={"listen": "127.0.0.1:9083", "otlp": "127.0.0.1:0"}).report == ReportPlan()
    assert plan(console={"otlp": "127.0.0.1:4318"}).report == ReportPlan()


def test_reports_to_another_console() -> None:
    report = plan(
        console={"report": {"endpoint": "http://c:1/p", "headers": {"X-A": "1"}, "timeout_s": 3, "interval_s": 20,
                            "exchanges_per_second": 5, "queue_bytes": "1MiB"}}
    ).report  # fmt: skip
    assert report.logs == Endpoint("c", 1, "/p/v1/logs", None, (("X-A", "1"),), 3, gzip=True)
    assert (report.interval_s, report.exchanges_per_second, report.queue_bytes) == (20, 5, 1 << 20)
    secure = plan(console={"report": {"endpoint": "https://c:1"}}).report.logs
    assert secure is not None
    assert secure.tls is not None


def test_a_console_key_by_key() -> None:
    made = plan(
        console={
            "listen": "127.0.0.1:9083", "otlp": "127.0.0.1:4318", "token": "s" * 40, "otlp_token": "t" * 40,
            "hosts": ["a.internal"], "cors_origins": ["https://a"], "store": "/tmp/x.db", "max_age_s": 60,
            "forward": {"endpoint": "http://f:1", "headers": {"X-A": "1"}, "queue_bytes": "1MiB", "timeout_s": 2,
                        "give_up_s": 3, "tls": {"verify": False}},
        },
        log={"level": "debug", "format": "json"},
    ).console  # fmt: skip
    assert made is not None
    assert (made.listen, made.otlp, made.token, made.otlp_token) == (
        "127.0.0.1:9083",
        "127.0.0.1:4318",
        "s" * 40,
        "t" * 40,
    )
    assert (made.hosts, made.cors_origins, made.store, made.max_age_s) == (
        ("a.internal",),
        ("https://a",),
        "/tmp/x.db",
        60,
    )
    assert (made.store_bytes, made.log_level, made.log_format) == (2 << 30, "debug", "json")
    assert made.forward == ForwardPlan("http://f:1", {"X-A": "1"}, 1 << 20, 2, 3, verify=False)
    assert from_json(to_json(made)) == made
    usual = plan(console={"listen": "127.0.0.1:9083"}).console
    assert usual is not None
    assert (usual.store, usual.store_bytes, usual.token, usual.otlp_token, usual.forward) == (
        "",
        256 << 20,
        "auto",
        "",
        ForwardPlan(),
    )
    sized = plan(console={"listen": "127.0.0.1:9083", "store_bytes": "64MiB"}).console
    assert sized is not None
    assert sized.store_bytes == 64 << 20
    assert plan().console is None
    assert (ConsolePlan().log_level, ConsolePlan().log_format, ConsolePlan().token) == ("info", "text", "auto")


# --- targets and TLS


@pytest.mark.parametrize(
    ("scheme", "address", "authority"),
    [
        ("http", Address("a", 80), "a"), ("http", Address("a", 443), "a:443"), ("https", Address("a", 443), "a"),
        ("https", Address("a", 80), "a:80"), ("http", Address("::1", 80), "[::1]"),
        ("http", Address("::1", 8), "[::1]:8"),
        ("http", Address(unix_path="/s"), "localhost"),
    ],
)  # fmt: skip
def test_a_targets_authority(scheme: Any, address: Address, authority: str) -> None:
    assert UpstreamTarget(scheme, address).authority == authority


def test_an_https_target_offers_what_its_http2_says() -> None:
    def target(**more: Any) -> UpstreamTarget:
        found = app(plan(inbound={"app": "https://app.internal:8443", **more})).target
        assert found is not None
        assert found.tls is not None
        return found

    auto = target()
    assert auto.tls_http1 is not None
    assert auto.tls_http1 is not auto.tls
    assert (auto.scheme, auto.server_name, auto.address) == ("https", "app.internal", Address("app.internal", 8443))
    assert (target(http2="never").tls_http1, target(http2="always").tls_http1) == (None, None)
    assert target(tls={"server_name": "other"}).server_name == "other"
    for found in (auto.tls, auto.tls_http1):
        assert found is not None
        assert found.minimum_version is ssl.TLSVersion.TLSv1_2
    plain = app(plan(inbound={"app": "http://app.internal"})).target
    assert plain is not None
    assert (plain.tls, plain.tls_http1, plain.server_name) == (None, None, "")


def agreed(server: ssl.SSLContext, client: ssl.SSLContext) -> str | None:
    """The protocol by ALPN, after a handshake in memory."""
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(ours, theirs, server_hostname="app.internal")
    other = server.wrap_bio(theirs, ours, server_side=True)
    done = [False, False]
    for _ in range(10):
        for place, end in enumerate((one, other)):
            if not done[place]:
                try:
                    end.do_handshake()
                    done[place] = True
                except ssl.SSLWantReadError:
                    pass
    assert all(done)
    return one.selected_alpn_protocol()


@pytest.mark.parametrize(
    ("streams", "http2", "said"),
    [
        (100, "auto", "h2"),
        (100, "always", "h2"),
        (100, "never", "http/1.1"),
        (0, "auto", "http/1.1"),
        (1, "auto", "h2"),
    ],
)
def test_what_both_ends_agree_on(tmp_path: Path, streams: int, http2: str, said: str) -> None:
    authority = trustme.CA()
    certificate, key, ca = tmp_path / "c.pem", tmp_path / "k.pem", tmp_path / "ca.pem"
    issued = authority.issue_cert("app.internal")
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(ca)
    made = plan(
        limits={"streams": streams},
        inbound={
            "app": "https://app.internal", "http2": http2, "tls": {"ca_file": str(ca)},
            "listen_tls": {"cert_file": str(certificate), "key_file": str(key)},
        },
    )  # fmt: skip
    server, target = made.listeners[0].tls, app(made).target
    assert server is not None
    assert server.minimum_version is ssl.TLSVersion.TLSv1_2
    assert server.verify_mode is ssl.CERT_NONE
    assert target is not None
    assert target.tls is not None
    assert agreed(server, target.tls) == said
    if target.tls_http1 is not None:
        assert agreed(server, target.tls_http1) == "http/1.1"


def test_a_context_is_kept_for_one_plan_that_does_not_ask_for_it() -> None:
    contexts = TlsContexts()
    wanted = TlsClientSettings()
    contexts.next_plan()
    first = contexts.get(wanted)
    assert contexts.get(wanted) is first
    assert contexts.get(wanted, "auto") is not first
    contexts.next_plan()
    assert contexts.get(wanted) is first
    contexts.next_plan()
    contexts.next_plan()
    assert contexts.get(wanted) is not first
