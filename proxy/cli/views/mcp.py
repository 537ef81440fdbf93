"""`ops-sidecar mcp`: the console's questions as tools for agents, by the Model Context Protocol over standard input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mcp.server.mcpserver import MCPServer

from proxy.cli.help import parser
from proxy.cli.views import answers
from proxy.cli.views.client import Console, ConsoleError, add_console_flags, answering, console_of
from proxy.own_version import own_version

_ABOUT: Final = (
    "Traces, requests and trace headers of services behind ops-sidecar, as its console holds them. "
    "Filter language: status:error, status:5xx, service:orders, from:shop, to:billing, dur:>200ms, format:b3, "
    "in:jaeger, session:ann, trace:4bf9, is:conflict; a blank is 'and', a comma 'or', a leading - 'not', "
    "a bare word looks everywhere."
)


def run(argv: Sequence[str]) -> int:
    """Serve until standard input ends. 1: the console's URL is wrong."""
    arguments_parser = parser("mcp")
    add_console_flags(arguments_parser, as_json=False)
    arguments = arguments_parser.parse_args(argv)

    def work() -> int:
        server(console_of(arguments)).run("stdio")
        return 0

    return answering("mcp", work)


def server(console: Console) -> MCPServer:
    """The tools."""
    made = MCPServer("ops-sidecar", instructions=_ABOUT, version=own_version())

    @made.tool()
    def find_traces(filter: str = "", limit: int = 10) -> str:
        """List traces that fit a filter, newest first, with duration, errors and where they began."""
        return _told(lambda: answers.traces(console, filter, limit))

    @made.tool()
    def show_trace(trace_id: str) -> str:
        """Show one trace as a tree of spans: services, durations, formats of each hop, errors, gaps, logs."""
        return _told(lambda: answers.trace(console, trace_id))

    @made.tool()
    def find_requests(filter: str = "", limit: int = 10) -> str:
        """List requests as sidecars saw them: who called whom, status, trace formats in and out."""
        return _told(lambda: answers.requests(console, filter, limit))

    @made.tool()
    def explain_request(request_id: str) -> str:
        """Tell why the trace headers of one request came out as they did, header by header."""
        return _told(lambda: answers.request(console, request_id))

    @made.tool()
    def explain_headers(headers: str) -> str:
        """Tell what pasted headers (or a curl command) say, which format wins, and what would go out to whom."""
        return _told(lambda: answers.explain(console, headers))

    @made.tool()
    def who_breaks_traces() -> str:
        """Tell which service drops, re-mints, doubles or flips trace contexts, with the proof and the cure."""
        return _told(lambda: answers.doctor(console))

    @made.tool()
    def what_can_be_switched_off() -> str:
        """Tell which trace format is still sent or needed by whom, and what is safe to stop."""
        return _told(lambda: answers.migration(console))

    @made.tool()
    def find_sessions(filter: str = "", limit: int = 10) -> str:
        """List sessions (of a user or an agent) by their last trace; the filter is a part of the session's id."""
        return _told(lambda: answers.sessions(console, filter, limit))

    @made.tool()
    def show_session(session_id: str) -> str:
        """Tell what one session did: its traces in order of time."""
        return _told(lambda: answers.session(console, session_id))

    @made.tool()
    def sidecar_settings(service: str = "") -> str:
        """Tell what is set at the sidecars other than by default, who set it, and which reloads were refused."""
        return _told(lambda: answers.settings(console, service))

    @made.tool()
    def console_health() -> str:
        """Tell how the console and the sidecars that report to it are."""
        return _told(lambda: answers.health(console))

    return made


def _told(ask: Callable[[], str]) -> str:
    """An agent reads an error like an answer."""
    try:
        return ask()
    except ConsoleError as error:
        return str(error)
