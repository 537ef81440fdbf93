"""What docker-compose.yml promises, checked on the running containers (`engine` says how).

It runs what is in config/compose/demo/.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

import browsing
from engine import (
    COMPOSE,
    DOCKER,
    UP,
    Skipped,
    container,
    get,
    get_json,
    inspect,
    kill,
    output,
    python_in,
    run,
    started,
    until,
    url,
)

FILES = (
    "compose/demo/billing.Dockerfile",
    "compose/demo/billing.js",
    "compose/demo/billing-sidecar.yaml",
    "compose/demo/receipts.Dockerfile",
    "compose/demo/receipts.in",
    "compose/demo/receipts.lock",
    "compose/demo/receipts.py",
    "compose/demo/stock.py",
)  # of config/, all of them run here
SERVICES = ("shop", "orders", "billing", "receipts", "stock")
SIDECARS = tuple(f"{service}-sidecar" for service in SERVICES)
PYTHON = ("shop", "orders", "receipts", "stock", "console", *SIDECARS)
TRACE_ID, SPAN_ID, SESSION = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "compose-test"
SPANS = 15  # of one trace, once all have come: 14 of services and sidecars, one of the sidecar of stock
STOP_LIMIT_S = 15.0


def visit(headers: dict[str, str]) -> list[dict[str, Any]]:
    """The hops of one request to the published port, as the services tell them."""
    answer = get_json(f"{url('shop', 9080)}/checkout", headers)
    assert not answer["errors"], answer["errors"]
    hops: list[dict[str, Any]] = answer["hops"]
    return hops


def a_trace_crosses_all_services() -> None:
    """A W3C trace and its session reach the five services, each in its own format; the last one by gRPC."""
    hops = visit({"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01", "X-Mirascope-Session-Id": SESSION})
    assert [hop["service"] for hop in hops] == list(SERVICES), hops
    for hop in hops:
        assert hop["trace_id"] == TRACE_ID, hop
        assert hop["session"] == SESSION, hop
        assert hop["sampling"] == "accept", hop
    b3 = {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled"}
    own = ({"traceparent"}, b3, {"uber-trace-id"}, {"traceparent"}, b3)
    for hop, names in zip(hops, own, strict=True):
        seen = {name.lower() for name, _ in hop["saw"]} - {"x-mirascope-session-id", "tracestate", "x-b3-parentspanid"}
        assert seen == names, hop


def a_64_bit_debug_trace_crosses_too() -> None:
    """A B3 debug trace with a 64-bit id keeps both where a format can say so."""
    short = TRACE_ID[16:]
    hops = visit({"b3": f"{short}-{SPAN_ID}-d"})
    assert [hop["trace_id"] for hop in hops] == [short.rjust(32, "0"), short, short, short.rjust(32, "0"), short], hops
    assert [hop["sampling"] for hop in hops] == ["accept", "debug", "debug", "accept", "debug"], hops


def one_page_shows_the_trace_across_all_of_them() -> None:
    """The console has the spans of all sidecars and of the library, each with its parent; and what came and went."""
    trace_id = f"{time.time_ns():032x}"
    visit({"traceparent": f"00-{trace_id}-{SPAN_ID}-01", "X-Mirascope-Session-Id": SESSION})
    console = url("console", 9083)

    def whole() -> bool:
        trace = get_json(f"{console}/api/v1/traces/{trace_id}")
        assert {span["service"] for span in trace["spans"] if not span.get("missing")} >= set(SERVICES), trace
        orphans = [span for span in trace["spans"] if span.get("missing") and span["id"] != SPAN_ID]
        assert not orphans, orphans
        return True

    until("the trace is not whole", whole)
    until(
        "its headers are not told",
        lambda: any(
            row["trace"] == trace_id for row in get_json(f"{console}/api/v1/requests?q=trace:{trace_id}")["items"]
        ),
    )
    assert "<title>" in get(console)


def a_browser_shows_it_after_one_click() -> None:
    """The visitors' traces are in the list, and each opens: all services, in light, in dark, and on a phone."""
    lacking = browsing.reason()
    if lacking and not os.environ.get("OPS_REQUIRE_BROWSER"):
        raise Skipped(lacking)
    assert not lacking, lacking
    browsing.see(url("console", 9083), SERVICES, SPANS)


def nobody_is_root() -> None:
    """Every process runs as a numeric user that is not 0, without capabilities."""
    for service in (*SERVICES, *SIDECARS, "console", "visitors"):
        assert inspect(service)["Config"]["User"] == "65532:65532", service
    for service in PYTHON:
        status = python_in(service, "print(open('/proc/1/status').read())")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert set(fields["Uid"].split()) == {"65532"}, fields["Uid"]
        assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0, fields["CapEff"]
        assert fields["NoNewPrivs"].strip() == "1", fields["NoNewPrivs"]


def the_root_file_system_is_read_only() -> None:
    """No container can write to its own image."""
    code = "import errno\ntry:\n open('/opt/x', 'w')\nexcept OSError as e:\n print(errno.errorcode[e.errno])"
    for service in PYTHON:
        assert python_in(service, code) == "EROFS", service
    for service in SERVICES:
        assert inspect(service)["HostConfig"]["ReadonlyRootfs"] is True, service


def sidecars_are_healthy() -> None:
    """Docker's own health check says so; a sidecar that does not answer is not called healthy."""
    for service in SIDECARS:
        assert inspect(service)["State"]["Health"]["Status"] == "healthy", service
        output(DOCKER, "exec", container(service), "ops-sidecar", "health")
    elsewhere = ("--env", "OPS_SIDECAR_ADMIN__LISTEN=127.0.0.1:1", container("shop-sidecar"), "ops-sidecar", "health")
    wrong = output(DOCKER, "exec", *elsewhere, ok=(1,))
    assert "healthy" not in wrong.split(), wrong


def services_are_reached_through_their_sidecars_only() -> None:
    """Between containers a service's own port is closed: it listens on loopback."""
    code = """if True:
        import socket
        try:
            socket.create_connection(("orders", 8080), 2)
        except ConnectionRefusedError:
            print("refused")"""
    assert python_in("shop", code) == "refused"


def a_format_is_changed_by_environment() -> None:
    """Compose makes one sidecar anew with another variable; the service gets another format, in the same trace."""
    files = (*COMPOSE, "--file", "tests/compose/other-format.yml")
    output(*files, *UP, "orders-sidecar")
    hops = visit({"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"})
    seen = {name.lower() for name, _ in hops[1]["saw"]}
    assert {"traceparent", "b3", "x-b3-traceid"} <= seen, hops[1]
    assert {hop["trace_id"] for hop in hops} == {TRACE_ID}, hops
    output(*COMPOSE, *UP, "orders-sidecar")
    a_trace_crosses_all_services()


HALF_A_REQUEST = """if True:
    import socket, sys
    sock = socket.create_connection(("orders", 9080), 10)
    sock.sendall(b"POST /orders HTTP/1.1\\r\\nHost: orders\\r\\nContent-Length: 4\\r\\n\\r\\nbo")
    print("half", flush=True)
    sys.stdin.readline()
    sock.sendall(b"dy")
    print(sock.makefile("rb").readline().decode(), flush=True)"""


def a_request_in_flight_outlives_its_sidecars_stop() -> None:
    """TERM drains: a request that is half sent when it comes is answered, and the sidecar ends with exit code 0."""
    words = [DOCKER, "exec", "--interactive", container("shop"), "python3", "-c", HALF_A_REQUEST]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        assert asking.stdout.readline() == "half\n"
        output(DOCKER, "kill", "--signal", "TERM", container("orders-sidecar"))
        until("readiness stays green", lambda: "draining" in health("orders-sidecar"))
        asking.stdin.write("\n")
        asking.stdin.flush()
        assert asking.stdout.readline().startswith("HTTP/1.1 200 "), "it was not answered"
    until("the sidecar does not end", lambda: not inspect("orders-sidecar")["State"]["Running"])
    assert inspect("orders-sidecar")["State"]["ExitCode"] == 0
    output(*COMPOSE, *UP, "orders-sidecar")
    a_trace_crosses_all_services()


def health(service: str) -> str:
    """What `ops-sidecar health --ready` says."""
    return output(DOCKER, "exec", container(service), "ops-sidecar", "health", "--ready", ok=(0, 1))


def a_restarted_service_is_reached_again() -> None:
    """Compose restarts the sidecars with their services, into the new network namespaces."""
    output(*COMPOSE, "restart", *SERVICES)
    output(*COMPOSE, *UP)
    a_trace_crosses_all_services()


def a_crashed_service_is_reached_again() -> None:
    """Docker restarts the service alone, in a new network namespace; its sidecar sees that, ends, and follows."""
    for service in ("orders", "billing", "stock"):
        before = started(f"{service}-sidecar")
        kill(service)
        until(f"the sidecar does not follow {service}", lambda before=before, service=service: (
            started(f"{service}-sidecar") != before and not a_trace_crosses_all_services()
        ))  # fmt: skip


def a_crashed_sidecar_comes_back_alone() -> None:
    """Its restart policy brings it back; the service does not notice."""
    service, sidecar = started("orders"), started("orders-sidecar")
    kill("orders-sidecar")
    until("it does not come back", lambda: started("orders-sidecar") != sidecar and not a_trace_crosses_all_services())
    assert started("orders") == service


def sidecars_stop_in_time() -> None:
    """TERM ends a sidecar with exit code 0, long before Docker would kill it."""
    began = time.monotonic()
    output(DOCKER, "stop", "--time", "40", *map(container, SIDECARS))
    took_s = time.monotonic() - began
    for service in SIDECARS:
        assert inspect(service)["State"]["ExitCode"] == 0, service
    assert took_s < STOP_LIMIT_S, f"they took {took_s:.1f} s to stop"


CHECKS = (
    sidecars_are_healthy,
    a_trace_crosses_all_services,
    a_64_bit_debug_trace_crosses_too,
    one_page_shows_the_trace_across_all_of_them,
    a_browser_shows_it_after_one_click,
    nobody_is_root,
    the_root_file_system_is_read_only,
    services_are_reached_through_their_sidecars_only,
    a_format_is_changed_by_environment,
    a_request_in_flight_outlives_its_sidecars_stop,
    a_restarted_service_is_reached_again,
    a_crashed_service_is_reached_again,
    a_crashed_sidecar_comes_back_alone,
    sidecars_stop_in_time,
)

if __name__ == "__main__":
    raise SystemExit(run("demo", CHECKS))
