"""Heads of HTTP/1 as they are read or refused: `heads.txt` has every field of what was reviewed, and every word."""

from __future__ import annotations

from pathlib import Path

from lab.heads import headed
from lab.texts import check_text

from proxy.http1.message.heads import sort_fields
from proxy.http1.message.request import read_request
from proxy.http1.message.response import read_response
from proxy.semantics.authority import parse_authority
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import request_kinds, response_kinds

REQUESTS = request_kinds(lambda name: name.lower() == b"b3", via=True, x_forwarded=True)
RESPONSES = response_kinds()
GET, POST, HOST = "GET / HTTP/1.1", "POST / HTTP/1.1", "Host: a"
ASKED = (
    (GET, HOST),
    (GET,),
    (GET, HOST, HOST),
    (GET, "Host: a", "Host: b"),
    (GET, "Host: "),
    (GET, "Host: a b"),
    (GET, "Host: a@b"),
    (GET, "Host: A:81"),
    (GET, "Host: a:65536"),
    (GET, "Host: [::1]:8080"),
    ("GET / HTTP/1.0",),
    ("GET / HTTP/1.0", HOST),
    ("GET / HTTP/1.2", HOST),
    ("GET / HTTP/2.0", HOST),
    ("GET / HTTP/0.9", HOST),
    ("GET / http/1.1", HOST),
    ("GET  / HTTP/1.1", HOST),
    ("GET /", HOST),
    ("", HOST),
    ("G(T / HTTP/1.1", HOST),
    ("GET a HTTP/1.1", HOST),
    ("GET * HTTP/1.1", HOST),
    ("OPTIONS * HTTP/1.1", HOST),
    ("GET http://b/x?y HTTP/1.1", HOST),
    ("GET http://b:81 HTTP/1.1", HOST),
    ("GET https://b/ HTTP/1.1", HOST),
    ("GET http:///x HTTP/1.1", HOST),
    ("GET http://u@b/ HTTP/1.1", HOST),
    ("GET ftp://b/ HTTP/1.1", HOST),
    ("CONNECT b:443 HTTP/1.1", "Host: b:443"),
    ("CONNECT b HTTP/1.1", "Host: b"),
    ("CONNECT /x HTTP/1.1", HOST),
    ("GET /a#b HTTP/1.1", HOST),
    ("GET /\xff HTTP/1.1", HOST),
    (POST, HOST, "Content-Length: 5"),
    (POST, HOST, "Content-Length: 5", "Content-Length: 5"),
    (POST, HOST, "Content-Length: 5", "Content-Length: 6"),
    (POST, HOST, "Content-Length: 5, 5"),
    *((POST, HOST, f"Content-Length: {value}") for value in ("", "+1", "-1", "1_0", "0x1", "1 ", "007", "0", "9" * 30)),
    *(
        (POST, HOST, f"Transfer-Encoding: {value}")
        for value in ("chunked", "Chunked", "gzip", "gzip, chunked", "", "chunked,")
    ),
    (POST, HOST, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    (POST, HOST, "Transfer-Encoding: chunked", "Content-Length: 5"),
    ("POST / HTTP/1.0", HOST, "Transfer-Encoding: chunked"),
    *(
        (GET, HOST, f"Connection: {value}", "X-A: 1", "Keep-Alive: 5")
        for value in ("close", "keep-alive", "x-a", "close, X-A", "", ",")
    ),
    (GET, HOST, "Connection: host"),
    (GET, HOST, "Connection: b3", "b3: 0"),
    (GET, HOST, "Connection: te", "TE: trailers, gzip"),
    (GET, HOST, "Connection: upgrade", "Upgrade: websocket"),
    (GET, HOST, "Upgrade: websocket"),
    (GET, HOST, "Connection: upgrade, http2-settings", "Upgrade: h2c", "HTTP2-Settings: x"),
    (GET, HOST, "Connection: upgrade", "Upgrade: h2c, websocket"),
    (POST, HOST, "Connection: upgrade", "Upgrade: x", "Content-Length: 1"),
    *((POST, HOST, f"Expect: {value}", "Content-Length: 1") for value in ("100-continue", "100-Continue", "other", "")),
    *(
        (f"{method} / HTTP/1.1", HOST, f"Max-Forwards: {value}")
        for method in ("OPTIONS", "TRACE", "GET")
        for value in ("0", "1", "x", "01")
    ),
    (GET, HOST, "Via: 1.1 a", "Via: 1.0 b"),
    (GET, HOST, "X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: b"),
    (GET, HOST, "Proxy-Authorization: x", "Proxy-Connection: x", "Trailer: x", "TE: trailers"),
    (GET, HOST, "Authorization: Negotiate x"),
    (GET, HOST, "Authorization: NTLM x"),
    (GET, HOST, "Authorization: Bearer x"),
    (GET, HOST, "Date: x", "Server: y"),
)
ANSWERED = (
    ("HTTP/1.1 200 OK",),
    ("HTTP/1.0 200 OK",),
    ("HTTP/1.1 200",),
    ("HTTP/1.1 200 ",),
    ("HTTP/1.1 20 OK",),
    ("HTTP/1.1 2000 OK",),
    ("HTTP/2 200",),
    ("http/1.1 200 OK",),
    ("HTTP/1.1 099 x",),
    ("HTTP/1.1 600 x",),
    ("HTTP/1.1 999 x",),
    ("HTTP/1.1 101 x", "Upgrade: a", "Connection: upgrade"),
    ("HTTP/1.1 101 x",),
    ("HTTP/1.1 100 Continue",),
    ("HTTP/1.1 204 x", "Content-Length: 0"),
    ("HTTP/1.1 304 x", "Content-Length: 5"),
    *(("HTTP/1.1 200 OK", f"Content-Length: {value}") for value in ("5", "", "+5", "5, 5", "x", "0")),
    ("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"),
    ("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6"),
    *(("HTTP/1.1 200 OK", f"Transfer-Encoding: {value}") for value in ("chunked", "gzip, chunked", "gzip", "")),
    ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 5"),
    ("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"),
    *(("HTTP/1.1 200 OK", f"Connection: {value}", "X-A: 1") for value in ("close", "keep-alive", "x-a", "close, x-a")),
    ("HTTP/1.0 200 OK", "Connection: keep-alive"),
    ("HTTP/1.1 200 OK", "Keep-Alive: timeout=5"),
    ("HTTP/1.1 200 OK", "Keep-Alive: max=1, timeout=0"),
    ("HTTP/1.1 401 x", "WWW-Authenticate: Negotiate"),
    ("HTTP/1.1 401 x", "WWW-Authenticate: NTLM abc"),
    ("HTTP/1.1 401 x", "WWW-Authenticate: Basic"),
    (
        "HTTP/1.1 200 OK",
        "Via: 1.1 a",
        "Date: x",
        "Server: y",
        "Trailer: z",
        "Proxy-Authenticate: x",
        "Proxy-Connection: x",
        "Upgrade: x",
    ),
)


def _shown(made: object) -> str:
    """What it says, in the same order where it is compiled."""
    found = {name: getattr(made, name) for name in dir(made) if not name.startswith("_")}
    plain = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in found.items()}
    return ", ".join(f"{name}={value!r}" for name, value in plain.items() if value and not callable(value))


def test_heads_are_read_or_refused_as_reviewed() -> None:
    lines = []
    for stories, kinds, fault, read in (
        (ASKED, REQUESTS, Fault.BAD_REQUEST, lambda head: read_request(head, REQUESTS, parse_authority)),
        (ANSWERED, RESPONSES, Fault.BAD_RESPONSE, lambda head: read_response(head, RESPONSES)),
    ):
        for start, *fields in stories:
            try:
                found = sort_fields([field.encode("latin-1") for field in fields], kinds, fault)
                said = _shown(read(headed(start.encode("latin-1"), found)))
            except Refusal as error:
                said = f"{error.fault.label}: {error.detail}"
            lines += [f"{start!r} {fields}"[:200], f"    {said}"]
    check_text("\n".join([*lines, ""]), Path(__file__).parent / "heads.txt")
