"""What the console answers to whoever asks wrongly: status, fields and words, as reviewed in `refusals.txt`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import aiohttp
from lab.consoles import Start, sent, span
from lab.texts import check_text

JSON, PROTOBUF = {"Content-Type": "application/json"}, {"Content-Type": "application/x-protobuf"}
BODY = sent(span(1)).SerializeToString()
SECURE = (
    "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
)  # fmt: skip
TELLING = (
    "Content-Type", "Allow", "Location", "Cache-Control", "Set-Cookie", "WWW-Authenticate", "Retry-After", "Vary",
    "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
    "Access-Control-Max-Age", *SECURE,
)  # fmt: skip
WRONG_ID = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "00", "spanId": "1", "name": "a"}]}]}]}

SENT: tuple[tuple[str, str, dict[str, str], bytes], ...] = (
    ("POST", "/v1/traces", PROTOBUF, BODY),
    ("POST", "/v1/traces", PROTOBUF | {"Content-Encoding": "gzip"}, gzip.compress(BODY)),
    ("POST", "/v1/traces", PROTOBUF | {"Content-Encoding": "gzip"}, gzip.compress(BODY)[:-9]),
    ("POST", "/v1/traces", PROTOBUF | {"Content-Encoding": "gzip"}, b"not gzip"),
    ("POST", "/v1/traces", PROTOBUF | {"Content-Encoding": "zstd"}, BODY),
    ("POST", "/v1/traces", PROTOBUF | {"Content-Encoding": " Identity "}, BODY),
    ("POST", "/v1/traces", PROTOBUF, b"\xff"),
    ("POST", "/v1/traces", JSON, b"{"),
    ("POST", "/v1/traces", JSON, b"[]"),
    ("POST", "/v1/traces", JSON, b"{}"),
    ("POST", "/v1/traces", JSON, json.dumps(WRONG_ID).encode()),
    ("POST", "/v1/logs", JSON, b"{}"),
    ("POST", "/v1/metrics", JSON, b"{}"),
    ("POST", "/v1/traces", {"Content-Type": "text/plain"}, BODY),
    ("POST", "/v1/traces", {"Content-Type": "application/thrift"}, BODY),
    ("POST", "/v1/traces", {"Content-Type": "application/grpc"}, BODY),
    ("GET", "/v1/traces", {}, b""),
    ("PUT", "/v1/traces", JSON, b"{}"),
    ("POST", "/v1/nothing", JSON, b"{}"),
    ("POST", "/api/v2/spans", JSON, b"{}"),
    ("GET", "/", {}, b""),
    ("OPTIONS", "/v1/traces", {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}, b""),
    ("OPTIONS", "/v1/traces", {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}, b""),
    ("POST", "/v1/traces", PROTOBUF | {"Origin": "https://shop.example"}, BODY),
    ("POST", "/v1/traces", PROTOBUF | {"Origin": "https://evil.example"}, BODY),
)
ASKED: tuple[tuple[str, str, dict[str, str], bytes], ...] = (
    ("GET", "/healthz", {}, b""),
    ("GET", "/api/v1/nothing", {}, b""),
    ("PUT", "/api/v1/traces", {}, b""),
    ("DELETE", "/api/v1/health", {}, b""),
    ("GET", "/api/v1/traces?limit=0", {}, b""),
    ("GET", "/api/v1/traces?limit=501", {}, b""),
    ("GET", "/api/v1/traces?limit=x", {}, b""),
    ("GET", "/api/v1/traces?before=x", {}, b""),
    ("GET", "/api/v1/sessions?before=x", {}, b""),
    ("GET", "/api/v1/requests?before=1-", {}, b""),
    ("GET", "/api/v1/traces/00", {}, b""),
    ("GET", "/api/v1/traces/00?format=otlp", {}, b""),
    ("GET", "/api/v1/requests/r_0", {}, b""),
    ("GET", "/api/v1/sessions/no", {}, b""),
    ("POST", "/api/v1/explain", JSON, b"{"),
    ("POST", "/api/v1/explain", JSON, b'{"text": 5}'),
    ("POST", "/api/v1/explain", JSON, b"[]"),
    ("POST", "/api/v1/explain", {"Content-Type": "text/plain"}, b"b3: 0"),
    ("POST", "/api/v1/explain", JSON, b'{"text": "' + b"a" * 300_000 + b'"}'),
    ("POST", "/api/v1/traces", {"Content-Type": "text/plain"}, b"x"),
    ("POST", "/api/v1/traces", JSON, b"x"),
    ("POST", "/api/v1/traces", PROTOBUF, b"\xff"),
    ("POST", "/api/v1/login", JSON, b"{}"),
    ("POST", "/api/v1/login", JSON, b'{"token": "x"}'),
    ("POST", "/api/v1/login", JSON, b'{"token": "correct-horse"}'),
    ("POST", "/api/v1/login", JSON, b"["),
    ("GET", "/?token=x", {}, b""),
    ("GET", "/?token=correct-horse", {}, b""),
    ("GET", "/api/v1/self", {"Host": "evil.example"}, b""),
    ("GET", "/api/v1/self", {"Origin": "https://evil.example"}, b""),
    ("GET", "/api/v1/self", {"Origin": "null"}, b""),
    ("GET", "/api/v1/health", {"Sec-Fetch-Site": "cross-site"}, b""),
    ("GET", "/nothing.js", {"Sec-Fetch-Site": "cross-site"}, b""),
    ("GET", "/nothing.js", {}, b""),
    ("GET", "/api/v1/traces", {"Authorization": "Bearer x"}, b""),
    ("GET", "/api/v1/traces", {"Authorization": "Basic correct-horse"}, b""),
)


async def _told(client: aiohttp.ClientSession, url: str, asked: tuple[str, str, dict[str, str], bytes]) -> str:
    """The answer. Fields that all answers have are told once, by the first that has them."""
    method, path, headers, body = asked
    client.cookie_jar.clear()
    async with client.request(
        method, url + path, data=body or None, headers=headers, allow_redirects=False
    ) as response:
        said = await response.read()
        fields = [f"  {name}: {value}" for name in TELLING for value in response.headers.getall(name, ())]
    what = "" if b"\x1f\x8b" in body else repr(body[:30])
    is_long = response.status == 200 and len(said) > 120  # an answer, which other tests look at
    shown = "…" if is_long else said.decode("ascii", "backslashreplace").replace("\b", "\\b").replace("\x12", "\\x12")
    lines = [f"{method} {path[:60]} {headers} {what}", f"  {response.status} {response.reason}", *fields, f"  {shown}"]
    return "\n".join(line.rstrip() for line in [*lines, ""]).replace("\x03", "3").replace("\x07", "7")


def _once(parts: list[str]) -> str:
    """All parts, with sets of fields that many answers have told once, at the end."""
    seen: dict[str, int] = {}
    told = []
    for part in parts:
        lines = part.splitlines()
        secure = [line for line in lines if line[2:].partition(":")[0] in SECURE]
        number = seen.setdefault("\n".join(secure), len(seen))
        told += [*(line for line in lines if line not in secure), f"  fields {number}", ""]
    return "\n".join([*told, *(f"fields {number}\n{fields}\n" for fields, number in seen.items())])


async def test_who_asks_wrongly_is_told_in_reviewed_words(start_console: Start) -> None:
    parts: list[str] = []
    console = await start_console(cors_origins=("https://shop.example",))
    parts += [await _told(console.client, console.otlp, one) for one in SENT]
    for more in ({}, {"token": "correct-horse"}, {"otlp_token": "let-me-in-please"}):
        other = await start_console(**more)
        parts.append(f"# {more}\n")
        method, path, _, body = SENT[0]
        for token in ("", "let", "let-me-in-please"):
            headers = PROTOBUF | {"Authorization": f"Bearer {token}"}
            parts.append(await _told(other.client, other.otlp, (method, path, headers, body)))
        await other.until("/traces", lambda said: said["items"])  # without a trace the last answers are shorter
        for asked in ASKED:
            said = await _told(other.client, other.url, asked)
            parts.append(said.replace(f"console-{other.url.rpartition(':')[2]}", "console-PORT"))
    check_text(_once(parts), Path(__file__).parent / "refusals.txt")
