"""What config/compose/minimal.yml promises (`engine` says how it is checked)."""

from __future__ import annotations

from engine import COMPOSE, UP, get, kill, output, run, started, until, url

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def its_comment_is_true() -> None:
    """The request in its first lines; the app is given B3."""
    told = get(url("app", 9080), {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"})
    assert f"X-B3-TraceId: {TRACE_ID}\n" in told, told
    assert f"X-B3-SpanId: {SPAN_ID}\n" in told, told


def a_crashed_app_is_reached_again() -> None:
    """With its sidecar, in a new network."""
    before = started("sidecar")
    kill("app")
    until("it is not reached", lambda: started("sidecar") != before and not its_comment_is_true())


def both_are_restarted() -> None:
    """As an upgrade does it."""
    output(*COMPOSE, "restart", "app")
    output(*COMPOSE, *UP)
    its_comment_is_true()


CHECKS = (its_comment_is_true, both_are_restarted, a_crashed_app_is_reached_again)

if __name__ == "__main__":
    raise SystemExit(run("minimal", CHECKS))
