"""Every sentence that explains a request: each kind of fate, beside the sentence that was reviewed for it.

The files beside this one have a story a paragraph: what came, what is known, and what is said of it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.texts import check_text

from ops_lib.propagation import KNOWN_FORMATS, Format, Loss, Malformed, Propagator, parse_formats
from proxy.explain.diagnosis import diagnose
from proxy.explain.groups import Facts, Header, groups, verdict
from proxy.explain.names import format_name, formats, listed, loss_name, reason
from proxy.explain.reading import as_json, explain
from proxy.explain.tokens import read_tokens
from tests.vectors.rows import Row, load, random_bits

T, S, OTHER, P = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312", "1" * 32, "b" * 16
W3C = ("traceparent", f"00-{T}-{S}-01")
OURS = ("traceparent", f"00-{T}-{P}-01")
B3, STALE = ("b3", f"{T}-{S}-1"), ("b3", f"{OTHER}-{S}-1")
JAEGER = ("uber-trace-id", f"{T}:{S}:0:1")
SESSION, RENAMED, ANOTHER = ("X-Mirascope-Session-Id", "s-1"), ("X-Sid", "s-1"), ("X-Mirascope-Session-Id", "s-2")
BAGGAGE, MORE, UBER = ("baggage", "a=***"), ("baggage", "a=***,b=***"), ("uberctx-a", "***")
DATADOG, UNKNOWN = ("x-datadog-trace-id", "7"), ("x_b3_unknown", "1")

Story = tuple[list[Header], list[Header], dict[str, Any]]
PLAIN = {"winner": "tracecontext", "read": "tracecontext", "written": "tracecontext"}


def stories() -> Iterator[Story]:
    """What came, what went, and what is known beside."""
    for own in (False, True):
        yield [W3C], [OURS if own else W3C], PLAIN | {"has_own_span": own}
        yield [B3], [W3C, JAEGER], {"winner": "b3", "read": "b3", "written": "tracecontext,jaeger", "has_own_span": own}
    yield [W3C], [("Traceparent", W3C[1])], PLAIN
    yield [W3C], [OURS], PLAIN
    yield [W3C], [OURS], PLAIN | {"is_restarted": True, "has_own_span": True}
    yield [W3C], [], PLAIN | {"written": "", "refused": ("ids",)}
    yield [W3C], [], PLAIN | {"written": ""}
    yield [W3C], [], PLAIN | {"written": "", "withheld": ("trace",)}
    for fate in ("!shape", "!zero-id", "~", "^", "?", "", "+", "-"):
        yield [W3C, B3], [W3C], PLAIN | {"read": f"tracecontext,b3{fate}"}
        yield [W3C, B3], [OURS], PLAIN | {"read": f"tracecontext,b3{fate}", "has_own_span": True}
        if fate and fate not in "~^":  # else there is a winner
            yield [B3], [], {"read": f"b3{fate}"}
            yield [B3], [W3C], {"read": f"b3{fate}", "written": "tracecontext"}
    yield [W3C, B3, STALE], [W3C], PLAIN | {"read": "tracecontext,b3~,b3!duplicate,jaeger?"}
    yield [W3C, STALE, JAEGER], [W3C], PLAIN | {"read": "tracecontext,b3~,jaeger~"}
    yield [W3C, B3], [W3C], PLAIN
    for linked in ("header", "process", "single", "none", "guess"):
        yield [], [W3C], {"written": "tracecontext", "linked": linked}
        yield [], [], {"linked": linked}
    for sampling in ("deny", ""):
        yield [("b3", "0")], [W3C], PLAIN | {"winner": "b3", "read": "b3", "bare": True, "sampling": sampling}
        yield [("b3", "0")], [], {"winner": "b3", "read": "b3", "bare": True, "sampling": sampling}
    for carried in ("width", "debug", "random", "tracestate", "session", "baggage"):
        yield [B3], [W3C], {"winner": "b3", "read": "b3", "written": "tracecontext", "carried": (carried,)}
    yield [W3C], [W3C, SESSION, BAGGAGE], PLAIN | {"carried": ("session", "baggage", "debug", "width")}
    for loss in Loss:
        yield [W3C], [B3], PLAIN | {"written": "b3", "lost": (("b3", str(loss)), ("jaeger", str(loss)))}
    yield [W3C], [B3], PLAIN | {"written": "b3", "lost": (("b3", "tracestate"), ("b3", "random"))}
    for came, went in (([SESSION], [SESSION]), ([SESSION], [RENAMED]), ([SESSION], [ANOTHER]), ([], [SESSION])):
        yield came, went, {"session_names": frozenset({"x-mirascope-session-id", "x-sid"})}
    for said in ({}, {"withheld": ("session",)}, {"refused": ("session",)}, {"carried": ("session",)}):
        yield [SESSION], [], said
        yield [], [SESSION], said
    for came, went in (([BAGGAGE], [BAGGAGE]), ([BAGGAGE], [UBER]), ([UBER], [BAGGAGE]), ([MORE], [BAGGAGE])):
        yield came, went, {}
        yield came, went, {"lost": (("jaeger", "baggage-cut"),)}
        yield came, went, {"lost": (("jaeger", "debug"),)}
    for said in ({}, {"withheld": ("baggage",)}, {"refused": ("baggage",)}, {"carried": ("baggage",)}):
        yield [BAGGAGE], [], said
        yield [], [BAGGAGE], said
    for fate in ("+", "-"):
        yield [DATADOG], [DATADOG], {"read": f"datadog{fate}"}
        yield [W3C, DATADOG], [W3C], PLAIN | {"read": f"tracecontext,datadog{fate}"}
    yield [UNKNOWN], [], {}
    yield [DATADOG], [DATADOG], {"read": "datadog+,xray+,b3?"}
    yield [], [], {}
    yield [], [], {"written": "tracecontext", "winner": ""}


def test_what_became_of_headers_is_told_in_reviewed_words() -> None:
    lines = []
    for came, went, facts in stories():
        known = dict(facts)
        read, written = (tuple(filter(None, str(known.pop(name, "")).split(","))) for name in ("read", "written"))
        said = Facts(tokens=read_tokens(read), written=written, **known)
        found = groups(came, went, said)
        shown = {name: fact for name, fact in sorted(facts.items()) if name != "session_names"}
        lines.append(f"# {came} -> {went} {shown}".replace(T, "T"))
        for group in found:
            lines.append(f"{group['verdict']}: {group['title']} {len(group['ins'])} -> {len(group['outs'])}")
            lines += [f"  {sentence}" for sentence in group["why"]]
        lines += [f"= {verdict(said, found)}", ""]
    check_text("\n".join(lines), Path(__file__).parent / "groups.txt")


def _broken() -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Headers of each format, broken at each of its edges."""
    for name, value in (
        ("version", "0"), ("version", "000"), ("version", "0G"), ("version", ""),
        ("trace", "1" * 31), ("trace", "1" * 33), ("trace", "0" * 32), ("trace", "A" * 32), ("trace", "g" + "1" * 31),
        ("span", "1" * 15), ("span", "1" * 17), ("span", "0" * 16), ("span", "1F" * 8),
        ("flags", "1"), ("flags", "001"), ("flags", "00"), ("flags", "0x"),
    ):  # fmt: skip
        parts = {"version": "00", "trace": T, "span": S, "flags": "01"} | {name: value}
        yield "tracecontext", {"traceparent": ["-".join(parts.values())]}
    for value in ("x", "00-1-2", f"00-{T}-{S}-01-x", f"01-{T}-{S}-01-x", f" \t00-{T}-{S}-0\t ", "a,b", ""):
        yield "tracecontext", {"traceparent": [value]}
    yield "tracecontext", {"traceparent": ["a", "b"]}
    for value in (
        "", "2", "1" * 15, "1" * 16, T, "1" * 33, "x" * 50, f"{'1' * 15}-{S}", f"{'1' * 16}-{'1' * 15}",
        f"{'1' * 17}-{S}", f"{T}1-{S}",
        f"{T}-{S}-2", f"{T}-{S}-{P}", f"{T}-{S}-{P}-{P}", f"{T}-{S}-{P[1:]}", f"{T}-{S}-{'x' * 50}",
        f"{T}-{S}-d-{P[1:]}",
        f"{T}-{S}-1-{'0' * 16}", f"{T}-{S}-1-{P}-", f"{T}-{S}-0-{P}1", f"{'0' * 32}-{'0' * 16}", f"{T.upper()}-{S}-9",
        "-",
    ):  # fmt: skip
        yield "b3", {"b3": [value]}
    trace, span, parent, sampled = "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled"
    for fields in (
        {trace: T}, {span: S}, {parent: P}, {trace: T, span: S, parent: P[1:]}, {trace: T, span: S, parent: "0" * 16},
        {trace: "1" * 15, span: "1" * 15}, {trace: "1" * 16, span: "1" * 32}, {trace: T + "1", span: S},
        {trace: "", span: ""}, {trace: T, span: S, sampled: "2"}, {sampled: "x" * 50}, {trace: "x", span: "x"},
        *({sampled: word} for word in ("0", "1", "true", "false", "d", "True", "yes", "")),
    ):  # fmt: skip
        yield "b3multi", {name: [value] for name, value in fields.items()}
    for value in (
        "", "x", "1:2:3", "1:2:3:4:5", "g:2:3:4:5", "1%3A2%3a3", ":1:0:1", "1::0:1", "1:1:0:", "0:0:0:0", "g:g:g:g",
        "1:1:0:" + "1" * 99,
        "1:1:0:" + "1" * 100, f"{T}:{S}:0:1", f"{T}1:{S}1:0:1", "1:1:0:g",
    ):  # fmt: skip
        yield "jaeger", {"uber-trace-id": [value]}
    ids, zero = b"\x00" + bytes(range(16)) + b"\x01" + bytes(range(8)), b"\x00" + bytes(16) + b"\x01" + bytes(8)
    for data in (
        b"", b"\x00", b"\x00" + ids + b"\x02\x01", b"\x00" + ids, b"\x00" + ids[:-1], b"\x00" + zero,
        b"\x00" + ids[:17],
        b"\x00" + ids[:16], b"\x00" + ids[17:], b"\x00" + ids + b"\x02", b"\x00" + ids + b"\x03\x00",
        b"\x00" + zero + b"\x02\x00",
    ):  # fmt: skip
        yield "grpc-trace-bin", {"grpc-trace-bin": [base64.b64encode(data).decode()]}
    for text in ("!", "AAAA,AAAA", "AA", "A", base64.b64encode(b"\x00" + ids + b"\x02\x01").decode().rstrip("=")):
        yield "grpc-trace-bin", {"grpc-trace-bin": [text]}


def test_what_is_wrong_with_a_header_is_told_in_reviewed_words() -> None:
    lines = [
        f"{' '.join(f'{name}: {value}' for name, values in fields.items() for value in values)}\n"
        f"    {format}: {diagnose(Format(format), fields) or '(nothing)'}\n"
        for format, fields in _broken()
    ]
    check_text("".join(lines), Path(__file__).parent / "diagnosis.txt")


def test_names_are_those_that_were_reviewed() -> None:
    families = ["datadog", "xray", "gcp", "sentry", "opentracing", "skywalking", "instana", "none", "another"]
    lines = [
        *(f"{name}: {format_name(name)}" for name in (*KNOWN_FORMATS, *families)),
        *(f"{loss}: {loss_name(str(loss))}" for loss in (*Loss, "another")),
        *(f"{why}: {reason(str(why))}" for why in (*Malformed, "another")),
    ]
    check_text("\n".join([*lines, ""]), Path(__file__).parent / "names.txt")
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert formats(["b3", "jaeger", "xray"], "or") == "B3, Jaeger or X-Ray"


def _kinds() -> Iterator[Row]:
    """Of all vectors, the first of each kind: who wins, what is malformed, in conflict, or lost."""
    seen = set()
    for row in load():
        reasons = sorted({reason for _, reason in row.expect.get("malformed", ())})
        conflicts = bool(row.expect.get("conflicts")), bool(row.expect.get("span_conflicts"))
        kind = f"{row.expect.get('winner')} {reasons} {conflicts} {row.expect.get('baggage_malformed')}"
        if kind not in seen:
            seen.add(kind)
            yield row


FOREIGN = [
    ("x-datadog-trace-id", "1"),
    ("X-Amzn-Trace-Id", "x"),
    ("Accept", "*/*"),
    ("User-Agent", "x"),
    ("x_b3_traceid", T),
]


def test_what_headers_say_is_told_in_reviewed_words() -> None:
    """`--explain`, as a table and as JSON, for every kind of vector."""
    lines = []
    stories = [(row.name, row.headers, row.settings) for row in _kinds()]
    stories += [("foreign", [W3C, *FOREIGN], {}), ("unread", [W3C, B3], {"extract": parse_formats("b3")})]
    stories += [("state", [W3C, ("tracestate", "a=1"), ("b3", f"{T}-{S}-1-{P}")], {})]
    stories += [("bare", [("b3", "d")], {}), ("fresh", [B3, OURS], {"inject": parse_formats("b3,jaeger")})]
    for name, headers, settings in stories:
        chosen = {"inject": KNOWN_FORMATS, "extract": KNOWN_FORMATS, **settings}
        propagator = Propagator(random_bits=random_bits, **chosen)
        extraction = propagator.extract(propagator.fields(headers))
        injection = propagator.inject(extraction)
        said = as_json(headers, extraction, injection, propagator, ("datadog",))
        lines += [f"# {name}: {headers}", explain(headers, extraction, injection, propagator, ("datadog",))]
        lines += [json.dumps(said, default=str), ""]
    check_text("\n".join(lines), Path(__file__).parent / "reading.txt")
