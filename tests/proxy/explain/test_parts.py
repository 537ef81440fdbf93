"""Each header in its parts: name by name, at the edges of each grammar."""

from __future__ import annotations

import pytest

from proxy.explain.parts import parts

T, S, P = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "b" * 16
SHORT = T[16:]

Said = list[tuple[str, str]]
CASES: tuple[tuple[str, str, Said], ...] = (
    *((name, "x", [("x", "trace")]) for name in ("X-B3-TraceId", "x_b3_traceid")),
    ("X-B3-SpanId", "x", [("x", "span")]),
    ("X-B3-ParentSpanId", "x", [("x", "span")]),
    ("X-B3-Sampled", "1", [("1", "decision")]),
    ("X-B3-Flags", "1", [("1", "decision")]),
    ("jaeger-debug-id", "a", [("a", "decision")]),
    ("X-Mirascope-Session-Id", "s", [("s", "session")]),
    ("Mirascope-Session-Id", "s", [("s", "session")]),
    ("X-Sid", "s", [("s", "session")]),
    ("X-Other", "a,b", [("a,b", "")]),
    ("uberctx-a", "1,2", [("1,2", "baggage")]),
    ("baggage", "a=1,b=2", [("a=1", "baggage"), (",", ""), ("b=2", "baggage")]),
    ("Jaeger-Baggage", "a=1", [("a=1", "baggage")]),
    ("tracestate", "a=1,,b=2", [("a=1", "state"), (",", ""), (",", ""), ("b=2", "state")]),
    ("traceparent", f"00-{T}-{S}-01",
     [("00-", ""), (T, "trace"), ("-", ""), (S, "span"), ("-", ""), ("01", "decision")]),
    ("traceparent", f"cc-{T}-{S}-01-x-y",
     [("cc-", ""), (T, "trace"), ("-", ""), (S, "span"), ("-", ""), ("01", "decision"), ("-x-y", "")]),
    *(("traceparent", wrong, [(wrong, "")]) for wrong in (
        f"0-{T}-{S}-01", f"00-{T[1:]}-{S}-01", f"00-{T}-{S[1:]}-01", f"00-{T}-{S}-1", f"00-{T}-{S}-01x",
        f"00-{T.upper()}-{S}-01", f"000-{T}-{S}-01", "x")),
    *(("b3", decision, [(decision, "decision")]) for decision in "01d"),
    ("b3", "2", [("2", "")]),
    ("b3", f"{T}-{S}", [(T, "trace"), ("-", ""), (S, "span")]),
    ("b3", f"{SHORT}-{S}-d", [(SHORT, "trace"), ("-", ""), (S, "span"), ("-", ""), ("d", "decision")]),
    ("b3", f"{T}-{S}-0-{P}",
     [(T, "trace"), ("-", ""), (S, "span"), ("-", ""), ("0", "decision"), ("-", ""), (P, "span")]),
    ("b3", f"{T}-{S}-{P}", [(T, "trace"), ("-", ""), (S, "span"), ("-", ""), (P, "span")]),
    ("B3", f"{T.upper()}-{S}", [(T.upper(), "trace"), ("-", ""), (S, "span")]),
    *(("b3", wrong, [(wrong, "")]) for wrong in (
        f"{SHORT[1:]}-{S}", f"{T}1-{S}", f"{T}-{S[1:]}", f"{T}-{S}-2", f"{T}-{S}-1-{P[1:]}", f"{T}-{S}-1-", "")),
    ("uber-trace-id", f"{T}:{S}:0:1",
     [(T, "trace"), (":", ""), (S, "span"), (":", ""), ("0", "span"), (":", ""), ("1", "decision")]),
    ("uber-trace-id", "1%3A2%3a%3A0f",
     [("1", "trace"), ("%3A", ""), ("2", "span"), ("%3a", ""), ("%3A", ""), ("0f", "decision")]),
    *(("uber-trace-id", wrong, [(wrong, "")]) for wrong in (
        f"{T}1:1:0:1", f"1:{S}1:0:1", "1:1:0:123", "1:1:0:", ":1:0:1", "1::0:1", "1:1:g:1", "1:1:0")),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value", "said"), CASES, ids=[f"{one[0]}: {one[1][:30]}" for one in CASES])
def test_the_parts_of_a_header(name: str, value: str, said: Said) -> None:
    made = parts(name, value, ("x-sid",))
    assert made["name"] == name
    assert [(part["text"], part.get("field", "")) for part in made["parts"]] == said
    assert "".join(part["text"] for part in made["parts"]) == value


def test_a_session_header_is_one_only_where_settings_name_it() -> None:
    assert parts("X-Sid", "s") == {"name": "X-Sid", "parts": [{"text": "s"}]}
