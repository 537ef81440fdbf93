"""Says which part of a malformed header is wrong. Pure, and only for people: the heart's verdict counts.

The grammar of each format is in its module in `ops_lib.propagation`; this module words the mistakes.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator

from ops_lib.propagation import Fields, Format

_LOWER = re.compile(r"[0-9a-f]*")
_HEX = re.compile(r"[0-9a-fA-F]*")
_B3_SAMPLED = ("0", "1", "true", "false", "d")


def diagnose(format: Format, fields: Fields) -> str:
    """What is wrong with the headers of `format`, in words; empty if only the heart's reason is known."""
    find = _FINDERS.get(format)
    return "; ".join(dict.fromkeys(find(fields))) if find is not None else ""


def _value(fields: Fields, name: str) -> str:
    return fields[name][0].strip(" \t") if name in fields else ""


def _hex(what: str, text: str, sizes: tuple[int, ...], *, upper: bool = True, zero: bool = False) -> Iterator[str]:
    """What is wrong with a number of hexadecimal digits."""
    if not text:
        yield f"the {what} is empty"
        return
    known = (_HEX if upper else _LOWER).match(text)
    assert known is not None
    if known.end() < len(text):
        wrong = text[known.end()]
        if wrong in "ABCDEF":
            yield f"the {what} has the upper-case letter {wrong!r}"
        else:
            yield f"the {what} has {wrong!r} at its position {known.end() + 1}, which is not a hexadecimal digit"
    elif len(text) not in sizes:
        expected = " or ".join(map(str, sizes)) if len(sizes) < 3 else f"{sizes[0]} to {sizes[-1]}"
        digits = "digit" if len(text) == 1 else "digits"
        yield f"the {what} has {len(text)} {digits}, expected {expected}"
    elif not zero and not text.strip("0"):
        yield f"the {what} is all zeros"


def _traceparent(fields: Fields) -> Iterator[str]:
    value = _value(fields, "traceparent")
    if not value or len(fields["traceparent"]) > 1 or "," in value:
        return
    parts = value.split("-")
    if len(parts) < 4:
        yield f"it has {len(parts)} of the 4 parts version-traceid-spanid-flags"
        return
    version, trace_id, span_id, flags = parts[:4]
    yield from _hex("version", version, (2,), upper=False, zero=True)
    yield from _hex("trace id", trace_id, (32,), upper=False)
    yield from _hex("span id", span_id, (16,), upper=False)
    yield from _hex("flags field", flags, (2,), upper=False, zero=True)
    if version == "00" and len(parts) > 4:
        yield "something follows the flags, which version 00 does not have"


def _b3(fields: Fields) -> Iterator[str]:
    value = _value(fields, "b3")
    parts = value.split("-")
    if not value:
        return
    if len(parts) == 1:
        is_id = len(value) in (16, 32) and not value.strip("0123456789abcdefABCDEF")
        yield "a trace id without a span id" if is_id else f"{value[:40]!r} is not a decision (0, 1 or d)"
        return
    yield from _hex("trace id", parts[0], (16, 32))
    yield from _hex("span id", parts[1], (16,))
    is_parent = len(parts) == 3 and len(parts[2]) == 16  # as Brave writes a deferred decision
    if len(parts) > 2 and not is_parent and parts[2] not in ("0", "1", "d"):
        yield f"the decision is {parts[2][:40]!r}, expected 0, 1 or d"
    if len(parts) > 3:
        yield from _hex("parent span id", parts[3], (16,), zero=True)
    if len(parts) > 4:
        yield f"it has {len(parts)} parts, expected at most 4: traceid-spanid-decision-parentid"


def _b3multi(fields: Fields) -> Iterator[str]:
    trace_id, span_id = _value(fields, "x-b3-traceid"), _value(fields, "x-b3-spanid")
    for name, other, there in (("X-B3-TraceId", "X-B3-SpanId", trace_id), ("X-B3-SpanId", "X-B3-TraceId", span_id)):
        if name.lower() not in fields and (other.lower() in fields or "x-b3-parentspanid" in fields):
            yield f"there is no {name}"
        elif name.lower() in fields:
            yield from _hex(name, there, (16, 32) if name == "X-B3-TraceId" else (16,))
    if "x-b3-parentspanid" in fields:
        yield from _hex("X-B3-ParentSpanId", _value(fields, "x-b3-parentspanid"), (16,), zero=True)
    sampled = _value(fields, "x-b3-sampled")
    if "x-b3-sampled" in fields and sampled.lower() not in _B3_SAMPLED:
        yield f"X-B3-Sampled is {sampled[:40]!r}, expected 0 or 1"


def _jaeger(fields: Fields) -> Iterator[str]:
    value = _value(fields, "uber-trace-id").replace("%3A", ":").replace("%3a", ":")
    if not value:
        return
    parts = value.split(":")
    if len(parts) < 4:
        yield f"it has {len(parts)} of the 4 parts traceid:spanid:parentid:flags"
        return
    if len(parts) > 4:
        yield f"it has {len(parts)} parts, expected 4: traceid:spanid:parentid:flags"
        return
    yield from _hex("trace id", parts[0], tuple(range(1, 33)))
    yield from _hex("span id", parts[1], tuple(range(1, 17)))
    yield from _hex("flags field", parts[3], tuple(range(1, 100)), zero=True)


_GRPC_FIELDS = (("trace id", 16), ("span id", 8), ("options field", 1))
_LONGEST = 512  # characters of a grpc-trace-bin


def _grpc_trace_bin(fields: Fields) -> Iterator[str]:
    text = _value(fields, "grpc-trace-bin").split(",")[0].rstrip("=")
    if len(text) > _LONGEST:
        yield f"it has {len(text):,} characters, expected at most {_LONGEST}"
        return
    try:
        data = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        yield "it is not the base64 of the parts version, trace id, span id and options"
        return
    found, at = set(), 1
    while at < len(data) and data[at] < len(_GRPC_FIELDS):
        name, size = _GRPC_FIELDS[data[at]]
        value = data[at + 1 : at + 1 + size]
        if len(value) < size:
            yield f"the {name} has {len(value)} {'byte' if len(value) == 1 else 'bytes'}, expected {size}"
        elif name != "options field" and not any(value):
            yield f"the {name} is all zeros"
        found.add(name)
        at += 1 + size
    for name, _ in _GRPC_FIELDS[:2]:
        if name not in found:
            yield f"there is no {name}"


_FINDERS: dict[Format, Callable[[Fields], Iterator[str]]] = {
    Format.TRACECONTEXT: _traceparent,
    Format("grpc-trace-bin"): _grpc_trace_bin,
    Format.B3: _b3,
    Format.B3MULTI: _b3multi,
    Format.JAEGER: _jaeger,
}
