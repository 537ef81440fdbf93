"""What docker-compose.yml (with config/examples/demo-billing.yaml) promises, checked on the running containers.

Standard library only.

    check.py DOCKER COMPOSE...      (COMPOSE: the words that run compose; the project's name is in the environment)

Prints one line per promise; exits 1 at the first that does not hold.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from typing import Any

SIDECARS = ("shop-sidecar", "orders-sidecar", "billing-sidecar")
SERVICES = ("shop", "orders", "billing")
TRACE_ID, SPAN_ID, SESSION = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "compose-test"
STOP_LIMIT_S = 15.0
CRASH_LIMIT_S = 60.0
DOCKER, COMPOSE = sys.argv[1], sys.argv[2:]


def output(*words: str, ok: tuple[int, ...] = (0,)) -> str:
    """What a command prints; AssertionError with its error output where it fails."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in ok, f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def container(service: str) -> str:
    """The id of a service's container."""
    return output(*COMPOSE, "ps", "--all", "--quiet", service)


def inspect(service: str) -> dict[str, Any]:
    """All that Docker knows of a container."""
    found: dict[str, Any] = json.loads(output(DOCKER, "inspect", container(service)))[0]
    return found


def python_in(service: str, code: str) -> str:
    """What a piece of Python prints inside a container."""
    return output(DOCKER, "exec", container(service), "python3", "-c", code)


def curl(headers: dict[str, str]) -> list[dict[str, Any]]:
    """The hops of one request to the published port, as the services tell them."""
    address = output(*COMPOSE, "port", "shop", "9080")
    request = urllib.request.Request(f"http://{address}/checkout", headers={**headers, "Accept": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as response:
        answer = json.load(response)
    assert not answer["errors"], answer["errors"]
    hops: list[dict[str, Any]] = answer["hops"]
    return hops


def a_trace_crosses_all_services() -> None:
    """A W3C trace and its session reach shop, orders, billing and the shop again, each in its own format."""
    hops = curl({"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01", "X-Mirascope-Session-Id": SESSION})
    assert [hop["service"] for hop in hops] == ["shop", "orders", "billing", "shop"], hops
    expected_span = SPAN_ID
    for hop in hops:
        assert hop["trace_id"] == TRACE_ID, hop
        assert hop["session"] == SESSION, hop
        assert hop["sampling"] == "accept", hop
        assert hop["span_id"] == expected_span, hop
        expected_span = hop["sent_span_id"]
    own = ({"traceparent"}, {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled"}, {"uber-trace-id"}, {"traceparent"})
    for hop, names in zip(hops, own, strict=True):
        seen = {name.lower() for name, _ in hop["saw"]} - {"x-mirascope-session-id", "tracestate", "x-b3-parentspanid"}
        assert seen == names, hop


def a_64_bit_debug_trace_crosses_too() -> None:
    """A B3 debug trace with a 64-bit id keeps both where a format can say so."""
    short = TRACE_ID[16:]
    hops = curl({"b3": f"{short}-{SPAN_ID}-d"})
    assert [hop["trace_id"] for hop in hops] == [short.rjust(32, "0"), short, short, short.rjust(32, "0")], hops
    assert [hop["sampling"] for hop in hops] == ["accept", "debug", "debug", "accept"], hops


def nobody_is_root() -> None:
    """Every process runs as a numeric user that is not 0, without capabilities."""
    for service in (*SERVICES, *SIDECARS):
        assert inspect(service)["Config"]["User"] == "65532:65532", service
        status = python_in(service, "print(open('/proc/1/status').read())")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert set(fields["Uid"].split()) == {"65532"}, fields["Uid"]
        assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0, fields["CapEff"]
        assert fields["NoNewPrivs"].strip() == "1", fields["NoNewPrivs"]


def the_root_file_system_is_read_only() -> None:
    """No container can write to its own image."""
    code = "import errno\ntry:\n open('/opt/x', 'w')\nexcept OSError as e:\n print(errno.errorcode[e.errno])"
    for service in (*SERVICES, *SIDECARS):
        assert python_in(service, code) == "EROFS", service


def the_image_holds_no_tools() -> None:
    """No compiler, no pip in the environment, no pip cache, no build backend."""
    code = """if True:
        import importlib.util, shutil, sys
        from pathlib import Path
        found = [tool for tool in ("cc", "gcc", "g++", "clang", "ld", "as", "make") if shutil.which(tool)]
        specs = filter(None, map(importlib.util.find_spec, ("hatchling", "mypy", "pip", "setuptools")))
        found += [spec.name for spec in specs if spec.origin.startswith(sys.prefix)]
        found += [place for place in ("/root/.cache", "/build") if Path(place).exists()]
        print(found)"""
    words = (
        DOCKER,
        "run",
        "--rm",
        "--network=none",
        "--user=0",
        "--entrypoint=/opt/ops-sidecar/bin/python3",
        "ops-sidecar:local",
    )
    assert output(*words, "-c", code) == "[]"


def sidecars_are_healthy() -> None:
    """Docker's own health check says so; a sidecar that does not answer is not called healthy."""
    for service in SIDECARS:
        assert inspect(service)["State"]["Health"]["Status"] == "healthy", service
        output(DOCKER, "exec", container(service), "ops-sidecar", "health")
    wrong = output(
        DOCKER,
        "exec",
        "-e",
        "OPS_SIDECAR_ADMIN__LISTEN=127.0.0.1:1",
        container("shop-sidecar"),
        "ops-sidecar",
        "health",
        ok=(1,),
    )
    assert "healthy" not in wrong.split(), wrong


def the_data_plane_is_compiled() -> None:
    """As the image is built without arguments: the sidecar's hot modules are machine code."""
    found = json.loads(output(DOCKER, "exec", container("shop-sidecar"), "ops-sidecar", "version", "--json"))
    assert found["compiled"] is True, found


def services_are_reached_through_their_sidecars_only() -> None:
    """Between containers a service's own port is closed: it listens on loopback."""
    code = """if True:
        import socket
        try:
            socket.create_connection(("orders", 8080), 2)
        except ConnectionRefusedError:
            print("refused")"""
    assert python_in("shop", code) == "refused"


def a_restarted_service_is_reached_again() -> None:
    """Compose restarts the sidecars with their services, into the new network namespaces."""
    output(*COMPOSE, "restart", *SERVICES)
    output(*COMPOSE, "up", "--no-build", "--detach", "--wait", "--wait-timeout", "90")
    a_trace_crosses_all_services()


def a_crashed_service_is_reached_again() -> None:
    """Docker restarts the service alone, in a new network namespace; its sidecar sees that, ends, and follows."""
    before = inspect("orders-sidecar")["State"]["StartedAt"]
    os.kill(inspect("orders")["State"]["Pid"], signal.SIGKILL)
    until = time.monotonic() + CRASH_LIMIT_S
    while True:
        time.sleep(1)
        try:
            a_trace_crosses_all_services()
        except (AssertionError, OSError):
            assert time.monotonic() < until, "the sidecar did not follow its service"
        else:
            break
    assert inspect("orders-sidecar")["State"]["StartedAt"] != before


def sidecars_stop_in_time() -> None:
    """TERM drains and ends a sidecar with exit code 0, long before Docker would kill it."""
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
    nobody_is_root,
    the_root_file_system_is_read_only,
    the_image_holds_no_tools,
    the_data_plane_is_compiled,
    services_are_reached_through_their_sidecars_only,
    a_restarted_service_is_reached_again,
    a_crashed_service_is_reached_again,
    sidecars_stop_in_time,
)


def main() -> int:
    """Run the checks in order; stop at the first that fails."""
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        try:
            check()
        except (AssertionError, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
            print(f"compose-test: FAILED  {name}\n{type(error).__name__}: {error}", file=sys.stderr)
            return 1
        print(f"compose-test: ok      {name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
