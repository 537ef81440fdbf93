"""The calls that every client makes, and how two answers are compared. Knows httpbin's endpoints and what a proxy may
change.

Files for clients in other languages: one call a line, `name TAB method TAB path TAB base64(fields, one a line) TAB
base64(body) or -`;
their answers: `name TAB status TAB base64(fields, one a line) TAB base64(body)`.
"""

# ruff: noqa: E501 - a call is one line

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from typing import Any, NamedTuple

import brotlicffi

# What the inbound listener adds to a request without a trace, by its documentation; to an answer of httpbin's, nothing.
DOCUMENTED = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
# What belongs to one connection (RFC 9110 7.6.1) and so may differ.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "http2-settings", "te", "proxy-connection"}
MULTIPART = "\r\n".join(
    [
        "--frontier",
        'Content-Disposition: form-data; name="text"',
        "",
        "ä value",
        "--frontier",
        'Content-Disposition: form-data; name="file"; filename="a.bin"',
        "Content-Type: application/octet-stream",
        "",
        "\x00\x01\r\n--not the frontier",
        "--frontier--",
        "",
    ]
).encode()


class Call(NamedTuple):
    """One request."""

    name: str
    method: str
    path: str
    fields: dict[str, str] = {}  # noqa: RUF012 - never changed
    body: bytes | None = None

    def line(self) -> str:
        """For clients in other languages."""
        fields = "\n".join(f"{name}: {value}" for name, value in self.fields.items())
        body = "-" if self.body is None else base64.b64encode(self.body).decode()
        return "\t".join([self.name, self.method, self.path, base64.b64encode(fields.encode("latin-1")).decode(), body])


class Answer(NamedTuple):
    """One answer, as a client saw it."""

    name: str
    status: int
    fields: list[tuple[str, str]]
    body: bytes


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CALLS = [
    Call("get", "GET", "/get?a=1&a=2&b=%C3%A4%26&c"),
    Call("get-everything", "GET", "/get?show_env=1"),  # with what proxies add, which httpbin leaves out otherwise
    Call("get-cookies", "GET", "/cookies", {"Cookie": "a=1; b=2"}),
    Call("set-cookies", "GET", "/cookies/set?a=1&b=2"),
    Call("post-json", "POST", "/post", JSON, b'{"a": [1, 2, {"b": null}]}'),
    Call("post-form", "POST", "/post", FORM, b"a=1&b=%26&a=2"),
    Call("post-multipart", "POST", "/post", {"Content-Type": "multipart/form-data; boundary=frontier"}, MULTIPART),
    Call("post-empty", "POST", "/post", FORM, b""),
    Call("put", "PUT", "/put", JSON, b"[]"),
    Call("patch", "PATCH", "/patch", JSON, b"{}"),
    Call("delete", "DELETE", "/delete"),
    Call("delete-body", "DELETE", "/delete", JSON, b'{"why": "not"}'),
    Call("options", "OPTIONS", "/get"),
    Call("anything", "PUT", "/anything/a%2Fb//c;d=e?q=%20+", FORM, b"x=y"),
    *(Call(f"status-{status}", "GET", f"/status/{status}") for status in (200, 201, 204, 304, 400, 401, 404, 405, 418, 429, 500, 503)),
    Call("status-post", "POST", "/status/409", JSON, b"{}"),
    Call("redirect", "GET", "/redirect/2"),
    Call("redirect-absolute", "GET", "/absolute-redirect/1"),
    Call("redirect-to", "GET", "/redirect-to?url=/get&status_code=307"),
    Call("gzip", "GET", "/gzip", {"Accept-Encoding": "gzip"}),
    Call("deflate", "GET", "/deflate", {"Accept-Encoding": "deflate"}),
    Call("brotli", "GET", "/brotli", {"Accept-Encoding": "br"}),
    Call("stream", "GET", "/stream/20"),
    Call("stream-bytes", "GET", "/stream-bytes/100000?seed=7&chunk_size=1013"),
    Call("drip", "GET", "/drip?duration=0.2&numbytes=5&delay=0"),
    Call("bytes", "GET", "/bytes/50000?seed=7"),
    Call("range", "GET", "/range/1000", {"Range": "bytes=100-199"}),
    Call("range-all", "GET", "/range/1000?chunk_size=10"),
    Call("etag", "GET", "/etag/abc"),
    Call("etag-304", "GET", "/etag/abc", {"If-None-Match": '"abc"'}),
    Call("etag-412", "GET", "/etag/abc", {"If-Match": '"xyz"'}),
    Call("cache-304", "GET", "/cache", {"If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}),
    Call("head", "HEAD", "/bytes/5000?seed=7"),
    Call("head-gzip", "HEAD", "/gzip", {"Accept-Encoding": "gzip"}),
    Call("basic-auth", "GET", "/basic-auth/u/p", {"Authorization": "Basic dTpw"}),
    Call("basic-auth-401", "GET", "/basic-auth/u/p"),
    Call("response-headers", "GET", "/response-headers?X-One=1&X-One=2&Content-Language=de"),
    Call("html", "GET", "/html"),
    Call("utf8", "GET", "/encoding/utf8"),
    Call("png", "GET", "/image/png"),
    Call("upload-expect", "POST", "/post", {"Expect": "100-continue", "Content-Type": "application/octet-stream"}, bytes(range(128)) * 16384),
]  # fmt: skip


def comparable(answer: Answer, base: str) -> dict[str, Any]:
    """`answer` without what may differ between going straight and through a sidecar: see DOCUMENTED and HOP_BY_HOP.

    Date is the time of each answer.
    """
    body: Any = decoded(answer).replace(base.encode(), b"BASE").replace(base.split("//")[1].encode(), b"AUTHORITY")
    fields = sorted(
        (name.lower(), value.replace(base, "BASE"))
        for name, value in answer.fields
        if name.lower() not in {"date"} | HOP_BY_HOP
    )
    if any(name == "content-type" and value.startswith("application/json") for name, value in fields):
        # httpbin tells what it was asked, header by header: there, what the sidecar added can be seen, and makes it
        # longer.
        fields = [(name, value) for name, value in fields if name != "content-length"]
        body = [told(json.loads(line)) for line in re.split(rb"\n(?=\{)", body)] if body else ""
    return {"status": answer.status, "fields": fields, "body": body}


def decoded(answer: Answer) -> bytes:
    """The body without its content coding: some clients take it off, some leave it on."""
    coding = next((value for name, value in answer.fields if name.lower() == "content-encoding"), "")
    if coding == "gzip" and answer.body.startswith(b"\x1f\x8b"):
        return gzip.decompress(answer.body)
    if coding == "deflate" and answer.body[:1] == b"\x78":
        return zlib.decompress(answer.body)
    if coding == "br" and answer.body[:1] not in (b"", b"{"):
        return bytes(brotlicffi.decompress(answer.body))
    return answer.body


def told(document: Any) -> Any:
    """What httpbin tells of a request, without what a proxy may have added to it."""
    if isinstance(document, dict) and isinstance(document.get("headers"), dict):
        kept = {
            name: value for name, value in document["headers"].items() if name.lower() not in DOCUMENTED | HOP_BY_HOP
        }
        return {**document, "headers": kept}
    return document
