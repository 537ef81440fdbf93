"""What is said of header lists that RFC 9113, 8 does not allow: `malformed.txt` has what was reviewed."""

from __future__ import annotations

from pathlib import Path

from lab.texts import check_text

from proxy.http2.engine.errors import Malformed
from proxy.http2.engine.fields import FieldJudge
from proxy.http2.engine.heads import check_trailers, read_request, read_response
from proxy.http2.hpack.field import HeaderField
from proxy.semantics.fields import request_kinds, response_kinds

REQUESTS = FieldJudge(request_kinds(lambda name: name == b"b3", via=True, x_forwarded=True), True)
RESPONSES = FieldJudge(response_kinds(), False)
GET, POST = ":method GET|:scheme http|:path /", ":method POST|:scheme https|:path /a"
CONNECT = ":method CONNECT|:authority a:443"
WEBSOCKET = ":method CONNECT|:protocol websocket|:scheme http|:path /|:authority a"

HEADS = (
    "",
    GET,
    f"{GET}|:authority a",
    f"{GET}|host a",
    f"{GET}|:authority a|host a",
    f"{GET}|:authority a|host b",
    f"{GET}|host a|host a",
    f"{GET}|:authority |host a",
    f"{GET}|:authority A|host a",
    f"{GET}|:authority a@b",
    f"{GET}|host a b",
    ":scheme http|:path /",
    ":method GET|:path /",
    ":method GET|:scheme http",
    f"{GET}|:method GET",
    f"{GET}|:path /b",
    f"x 1|{GET}",
    ":method GET|x 1|:scheme http|:path /",
    f"b3 0|{GET}",
    f"{GET}|:status 200",
    f"{GET}|:unknown x",
    ":method GET|:scheme http|:path *",
    ":method OPTIONS|:scheme http|:path *",
    ":method GET|:scheme http|:path ",
    ":method GET|:scheme http|:path a",
    ":method G T|:scheme http|:path /",
    ":method |:scheme http|:path /",
    ":method GET|:scheme ftp|:path /",
    ":method GET|:scheme |:path /",
    f"{GET}|X 1",
    f"{GET}|x\ty 1",
    f"{GET}|x  1",
    f"{GET}|x 1 ",
    f"{GET}|x a\rb",
    f"{GET}|x a\x00b",
    f"{GET}|connection close",
    f"{GET}|keep-alive 5",
    f"{GET}|upgrade x",
    f"{GET}|proxy-connection x",
    f"{GET}|transfer-encoding chunked",
    f"{GET}|te trailers",
    f"{GET}|te gzip",
    f"{GET}|te ",
    f"{POST}|content-length 5",
    f"{POST}|content-length 5|content-length 5",
    f"{POST}|content-length -1",
    f"{POST}|content-length +1",
    f"{POST}|content-length 0",
    f"{POST}|content-length 1x",
    f"{POST}|content-length ",
    f"{POST}|content-length 99999999999999999999",
    f"{GET}|expect 100-continue",
    f"{GET}|max-forwards 0",
    CONNECT,
    f"{CONNECT}|:scheme http",
    f"{CONNECT}|:path /",
    ":method CONNECT",
    f"{CONNECT}|content-length 5",
    WEBSOCKET,
    ":method CONNECT|:protocol websocket|:authority a",
    ":method CONNECT|:protocol websocket|:scheme http|:path /",
    f"{GET}|:protocol websocket",
    ":method CONNECT|:protocol |:scheme http|:path /|:authority a",
)
ANSWERS = (
    "",
    ":status 200",
    ":status 20",
    ":status 2000",
    ":status 2x0",
    ":status 099",
    ":status 100",
    ":status 101",
    ":status 103",
    ":status 600",
    ":status 999",
    ":status 200|:status 200",
    "x 1|:status 200",
    "content-length 5|:status 200",
    "via 1 a|:status 200",
    ":status 200|:path /",
    ":status 200|content-length 5",
    ":status 200|content-length 5|content-length 5",
    ":status 200|content-length x",
    ":status 200|connection close",
    ":status 200|te trailers",
    ":status 200|X 1",
    ":status 200|transfer-encoding chunked",
    ":status 204|content-length 0",
    ":status 200|x a\nb",
)
TRAILERS = (
    "",
    "x 1",
    ":status 200",
    ":path /",
    "connection close",
    "X 1",
    "content-length 5",
    "te trailers",
    "grpc-status 0",
    f"{'x' * 99}\x01 1",
)


def _fields(text: str, judge: FieldJudge) -> list[HeaderField]:
    pairs = [line.encode("latin-1").partition(b" ") for line in text.split("|")] if text else []
    return [HeaderField(name, value, judge.kind_of(name, value)) for name, _, value in pairs]


def _shown(field: HeaderField | None) -> str:
    return "-" if field is None else field.value.decode("latin-1")


def _request(text: str, *, done: bool, extended: bool) -> str:
    try:
        head = read_request(_fields(text, REQUESTS), done, extended)
    except Malformed as error:
        return f"malformed: {error}"
    parts = [
        _shown(one) for one in (head.method, head.scheme, head.path, head.authority, head.protocol, head.length_field)
    ]
    lists = [[field.name.decode() for field in fields] for fields in (head.plain, head.special)]
    return f"{' '.join(parts)} host {head.host!r} length {head.length} {lists} {head.takes_trailers}"


def _response(text: str) -> str:
    try:
        head = read_response(_fields(text, RESPONSES))
    except Malformed as error:
        return f"malformed: {error}"
    lists = [[field.name.decode() for field in fields] for fields in (head.plain, head.special)]
    return f"{head.status} {_shown(head.status_field)} length {head.length} {_shown(head.length_field)} {lists}"


def test_header_lists_are_read_or_refused_as_reviewed() -> None:
    """With content behind them and without, where extended CONNECT was announced and where not."""
    lines = []
    for text in HEADS:
        by_answer: dict[str, list[str]] = {}
        for done in (True, False):
            for extended in (False, True):
                said = _request(text, done=done, extended=extended)
                by_answer.setdefault(said, []).append(f"{'done' if done else 'open'}{' extended' if extended else ''}")
        lines.append(repr(text))
        lines += [
            f"  {said}{'' if len(by_answer) == 1 else f' ({chr(44).join(when)})'}" for said, when in by_answer.items()
        ]
    for text in ANSWERS:
        lines += [f"answer {text!r}", f"  {_response(text)}"]
    for judge in (REQUESTS, RESPONSES):
        for text in TRAILERS:
            try:
                check_trailers(_fields(text, judge))
                lines.append(f"trailers {text!r}: fine")
            except Malformed as error:
                lines.append(f"trailers {text!r}: {error}")
    check_text("\n".join([*lines, ""]), Path(__file__).parent / "malformed.txt")
