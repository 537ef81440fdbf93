"""What config/compose/collector.yml promises (`engine` says how it is checked), with a stand-in for the collector.

config/otel-collector/collector.yaml itself is checked in tests/config/test_compose.py.
"""

from __future__ import annotations

import time

from engine import get_json, run, until, url

SPAN_ID = "00f067aa0ba902b7"


def spans_reach_the_console_by_way_of_the_collector() -> None:
    """The collector has seen each of them."""
    trace_id = f"{time.time_ns():032x}"
    get_json(f"{url('shop', 9080)}/checkout", {"traceparent": f"00-{trace_id}-{SPAN_ID}-01"})
    for where in (url("collector", 9084), url("console", 9083)):
        until("it has no spans", lambda where=where: len(get_json(f"{where}/api/v1/traces/{trace_id}")["spans"]) >= 3)


def headers_reach_the_console_directly() -> None:
    """By the sidecar's report."""
    until(
        "it knows no headers",
        lambda: any(
            get_json(f"{url('console', 9083)}/api/v1/requests/{row['id']}")["headers"]
            for row in get_json(f"{url('console', 9083)}/api/v1/requests")["items"]
        ),
    )


CHECKS = (spans_reach_the_console_by_way_of_the_collector, headers_reach_the_console_directly)

if __name__ == "__main__":
    raise SystemExit(run("collector", CHECKS))
