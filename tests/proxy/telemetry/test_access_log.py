"""The access log: which trace and session an exchange had, and nothing that may be secret."""

from __future__ import annotations

import json
import os

from proxy.telemetry.access_log import AccessRecord, access_logger, json_line, text_line
from proxy.telemetry.writer import LineWriter

DONE = AccessRecord(
    listener="inbound",
    upstream="app",
    client="10.0.0.1",
    method="GET",
    path='/a"b',
    status=200,
    bytes_in=0,
    bytes_out=5,
    duration_s=0.0012345678,
    trace_id="a" * 32,
    span_id="b" * 16,
    trace_flags="01",
    session="s 1",
    conflict="",
    span_conflict="",
    error="",
    detail="",
)

EMPTY = ("upstream", "client", "trace_id", "span_id", "trace_flags", "session")


def test_json() -> None:
    assert json.loads(json_line(DONE, 1795344123.4567)) == {
        "time": "2026-11-22T10:42:03.456Z",
        "listener": "inbound",
        "upstream": "app",
        "client": "10.0.0.1",
        "method": "GET",
        "path": '/a"b',
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 5,
        "duration_s": 0.001235,
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "trace_flags": "01",
        "session": "s 1",
    }


def test_json_leaves_out_what_is_empty() -> None:
    """As of a request that could not be read."""
    entry = json.loads(json_line(DONE._replace(**dict.fromkeys(EMPTY, ""), method=""), 0.0))
    assert set(entry) == {"time", "listener", "path", "status", "bytes_in", "bytes_out", "duration_s"}


def test_text() -> None:
    line = text_line(DONE, 1795344123.4567)
    assert line == (
        f'2026-11-22T10:42:03.456Z 10.0.0.1 "GET /a\\"b" 200 5 1.235ms inbound>app trace_id={"a" * 32} '
        f'span_id={"b" * 16} session="s 1"'
    )
    refused = DONE._replace(**dict.fromkeys(EMPTY, ""), status=0, error="http_request_error")
    assert text_line(refused, 0.0).endswith("inbound>- trace_id=- span_id=- session=- error=http_request_error")
    quarrel = text_line(DONE._replace(conflict="b3:463ac35c9f6413ad"), 0.0)
    assert quarrel.endswith(' session="s 1" conflict=b3:463ac35c9f6413ad')
    quarrel = text_line(DONE._replace(span_conflict="b3:a2fb4a1d1a96d312", error="timeout"), 0.0)
    assert quarrel.endswith(' session="s 1" span_conflict=b3:a2fb4a1d1a96d312 error=timeout')


def test_formats_are_told_with_what_could_not_be_read() -> None:
    record = DONE._replace(read="tracecontext,b3", written="b3multi", malformed="jaeger:shape", session="")
    assert text_line(record, 0.0).endswith(" session=- read=tracecontext,b3 written=b3multi malformed=jaeger:shape")
    entry = json.loads(json_line(record, 0.0))
    assert (entry["read"], entry["written"], entry["malformed"]) == ("tracecontext,b3", "b3multi", "jaeger:shape")


def test_a_session_cannot_look_like_another_pair() -> None:
    """It is any visible ASCII, and a client chooses it."""
    for session, shown in (('a"b', r'"a\"b"'), ("a=b", '"a=b"'), ("a\\b", r'"a\\b"'), ("plain-1", "plain-1")):
        assert text_line(DONE._replace(session=session), 0.0).endswith(f" session={shown}")


def test_no_line_can_be_forged() -> None:
    forged = DONE._replace(path="/\r\nx", method="G\nT")
    assert "\n" not in text_line(forged, 0.0)
    assert "\n" not in json_line(forged, 0.0)


def test_no_line_is_as_long_as_a_client_likes() -> None:
    """8 KiB of path in 10,000 lines that nobody reads were 80 MB."""
    long = DONE._replace(path="/" + "x" * 8000 + "?token=hunter2", method="M" * 8000)
    entry = json.loads(json_line(long, 0.0))
    assert (entry["method"], entry["path"]) == ("M" * 1024 + "...", "/" + "x" * 1023 + "...")
    assert len(text_line(long, 0.0)) < 2300
    assert "x..." not in text_line(DONE._replace(path="/" + "x" * 1023), 0.0)


def test_lines_are_written() -> None:
    reader, fd = os.pipe()
    writer = LineWriter(fd, limit_lines=10, name="t")
    access_logger(writer, "json", lambda: 0.0)(DONE)
    access_logger(writer, "text", lambda: 0.0)(DONE)
    writer.close()
    os.close(fd)
    first, second = os.read(reader, 65536).decode().splitlines()
    os.close(reader)
    assert json.loads(first)["time"] == "1970-01-01T00:00:00.000Z"
    assert second.startswith("1970-01-01T00:00:00.000Z 10.0.0.1 ")
