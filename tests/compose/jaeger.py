"""What config/compose/jaeger.yml promises (`engine` says how it is checked), with a stand-in for Jaeger."""

from __future__ import annotations

import time

from engine import get_json, run, until, url

SPAN_ID = "00f067aa0ba902b7"


def both_have_the_trace() -> None:
    """The console keeps it and sends it on."""
    trace_id = f"{time.time_ns():032x}"
    get_json(f"{url('shop', 9080)}/checkout", {"traceparent": f"00-{trace_id}-{SPAN_ID}-01"})
    for where in (url("console", 9083), url("jaeger", 9084)):
        until("it has no spans", lambda where=where: len(get_json(f"{where}/api/v1/traces/{trace_id}")["spans"]) >= 3)


CHECKS = (both_have_the_trace,)

if __name__ == "__main__":
    raise SystemExit(run("jaeger", CHECKS))
