"""What a shadow finds, and the random numbers that it shares with the translation."""

from __future__ import annotations

from typing import Any

import pytest

from ops_lib.propagation import FORMATS, parse_formats
from proxy.participation.linking import Linked
from proxy.participation.sizes import NOTHING
from proxy.plan import PropagationPlan
from proxy.shadow import Found, Shadow, Tape
from proxy.translate import Translator
from proxy.translated import Translation

T, S = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
W3C, B3 = f"traceparent: 00-{T}-{S}-01", f"b3: {T}-{S}-1"
STATE, SESSION, BAGGAGE = "tracestate: vendor=1", "X-Mirascope-Session-Id: s-1", "baggage: a=1"
DATADOG = "x-datadog-trace-id: 5"


def plan(said: dict[str, Any]) -> PropagationPlan:
    lists = {name: parse_formats(said[name]) for name in ("extract", "inject") if name in said}
    return PropagationPlan(**{"extract": FORMATS, "inject": parse_formats("tracecontext"), **said, **lists})


def compared(
    real: dict[str, Any],
    other: dict[str, Any],
    *lines: str,
    linked: Linked | None = None,
    session_name: str = "x-user-session",
) -> tuple[Found, Translation]:
    """What a shadow with the settings `other` finds of a request, and its translation with those of `real`.

    `session_name`: a header that may hold a session, as settings name it.
    """
    tape = Tape()
    one = Translator(plan(real), random_bits=tape.record)
    two = Translator(plan(other), random_bits=tape.replay)
    shadow = Shadow((one,), (two,), tape, {*plan(real).session_extract, plan(real).session_inject, session_name})
    fields = [(name.encode(), value.encode()) for name, _, value in (line.partition(": ") for line in lines)]
    shadow.begin()
    owned = [field for field in fields if one.owns(field[0])]
    made = one.translate(owned) if linked is None else one.translate_linked(owned, NOTHING, linked)
    return shadow.compare(made, fields, NOTHING, 0, linked), made


@pytest.mark.parametrize(
    ("real", "other", "fields", "differences"),
    [
        ({}, {}, [W3C], "same"),
        ({}, {"inject": "b3"}, [W3C], "headers"),
        ({}, {"inject": "b3"}, [W3C, STATE], "headers losses"),
        ({"inject": "b3"}, {}, [W3C, STATE], "headers"),  # less is lost
        ({"inject": "b3"}, {"inject": "b3,tracecontext"}, [B3], "headers"),
        ({}, {"extract": "b3"}, [W3C], "headers ids"),
        ({"extract": "b3"}, {}, [W3C], "headers ids"),
        ({}, {"extract": "b3,tracecontext"}, [W3C, B3.replace(T, "1" * 32)], "ids"),
        ({}, {"extract": "b3,tracecontext"}, [W3C, B3.replace(S, "1" * 16)], "ids"),
        ({}, {"extract": "b3,tracecontext"}, [W3C, B3[:-1] + "0"], "decision"),
        ({}, {"on_defer": 0.0}, [B3[:-2]], "decision"),
        ({}, {"extract": "b3,tracecontext"}, [W3C, STATE, B3.replace(T, "1" * 32)], "headers ids tracestate"),
        ({}, {"baggage": "drop"}, [W3C, BAGGAGE], "headers baggage"),
        ({"inject": "jaeger"}, {}, [W3C, BAGGAGE], "headers"),  # the same members, in another form
        ({"inject": "jaeger"}, {}, [W3C, "baggage: a=1, b=x%20y"], "headers"),
        ({}, {"clear": ("datadog",)}, [W3C, DATADOG], "headers"),
        ({}, {"inject": "b3"}, [SESSION], "same"),
        ({}, {"session_inject": "x-user-session"}, [W3C, SESSION], "headers"),  # under another name
        ({}, {"session_extract": ("x-user-session",)}, [W3C, SESSION, "x-user-session: u"], "headers session"),
        ({}, {"inject": "b3"}, [], "same"),
        ({"mode": "participate"}, {"mode": "participate"}, [], "same"),
        ({"mode": "participate"}, {"mode": "participate", "inject": "b3"}, [], "headers losses"),
        ({}, {"mode": "participate"}, [W3C], "ids"),
        ({}, {"lossless": False}, [f"uber-trace-id: {T[16:]}:{S}:0:1"], "headers tracestate losses"),
    ],
)  # fmt: skip
def test_what_would_differ(real: dict[str, Any], other: dict[str, Any], fields: list[str], differences: str) -> None:
    """New span ids are no difference: both get the same ones."""
    assert " ".join(compared(real, other, *fields)[0].differences) == differences


@pytest.mark.parametrize("written", ["x-user-session", "X-User-Session", "x_user_session", "X_USER-Session"])
@pytest.mark.parametrize("name", ["x-user-session", "X-User-Session", "x_user_session", "X_USER-Session"])
def test_the_same_session_under_another_name_is_known_in_any_spelling(name: str, written: str) -> None:
    """`name`: as the one place of the settings has it; `written`: as the other."""
    found, _ = compared({}, {"session_inject": written}, W3C, SESSION, session_name=name)
    assert found.differences == ("headers",)
    assert (written.encode(), b"s-1") in found.would_go


def test_what_goes_out_is_shown_beside_what_would() -> None:
    """With what passes: fields that one of the two leaves alone."""
    other = {"inject": "b3", "session_extract": ("x-user-session",)}
    found, made = compared({}, other, W3C, "x-user-session: u", DATADOG)
    assert found.goes == [*made.headers, (b"x-user-session", b"u")]
    assert [name for name, _ in made.headers] == [b"traceparent", b"x-datadog-trace-id"]
    assert found.would_go[0] == (b"b3", f"{T}-{S}-1".encode())
    assert [name for name, _ in found.would_go[1:]] == [b"X-Mirascope-Session-Id", b"x-datadog-trace-id"]
    found, _ = compared(other, {}, W3C, "x-user-session: u")
    assert found.would_go[-1] == (b"x-user-session", b"u")


def test_a_call_that_was_joined_is_compared_as_one() -> None:
    found, made = compared({}, {"mode": "participate"}, linked=Linked(None, "none"))
    assert (found.differences, made.headers) == (("headers", "ids"), [])


def test_a_shadow_gets_the_same_numbers_by_their_size() -> None:
    tape = Tape()
    one, two = tape.record(64), tape.record(128)
    assert (tape.replay(64), tape.replay(128)) == (one, two)
    tape.record(64)
    three = tape.record(128)
    assert tape.replay(128) == three


def test_numbers_of_a_former_request_are_forgotten() -> None:
    """Its shadow may have needed fewer of them."""
    tape = Tape()
    taking_part = plan({"mode": "participate"})
    one = Translator(taking_part, random_bits=tape.record)
    shadow = Shadow((one,), (Translator(taking_part, random_bits=tape.replay),), tape)
    tape.record(64)
    tape.record(128)
    shadow.begin()
    assert shadow.compare(one.translate([]), [], NOTHING, 0).differences == ("same",)


def test_a_shadow_that_needs_more_gets_new_ones() -> None:
    tape = Tape()
    number = tape.record(64)
    assert tape.replay(128) < 1 << 128
    assert tape.replay(64) == number
    assert tape.replay(64) < 1 << 64
    tape.record(64)
    tape.clear()
    assert tape.replay(8) < 256
    for _ in range(1000):
        tape.record(64)
    assert len(tape._numbers) == 64
