"""The doctor's checks: what speaks against each, its words, and where a share becomes another."""

from __future__ import annotations

import pytest

from proxy.console.query import doctor
from proxy.console.query.reported.checks import CHECKS, share, state, told, unread_told

KNOWN = {
    "forwards": (("dropped",), ("examined",), "gap", "linked", "drops the context"),
    "same": (("another-trace",), ("examined",), "re-minted", "", "makes new trace ids"),
    "once": (("two-stories",), ("examined",), "conflict", "conflict", "tells two stories"),
    "decision": (("decision-changed",), ("expected:decision",), "flipped", "", "flips the sampling decision"),
    "state": (("lost-tracestate",), ("expected:tracestate",), "lost-state", "carry-over", "loses tracestate"),
    "baggage": (
        ("lost-baggage", "lost-session"), ("expected:baggage", "expected:session"), "lost-baggage", "carry-over",
        "loses baggage or the session",
    ),
    "format": (("unread-format",), ("examined",), "unread", "", "speaks a format that is not read"),
    "fresh": (("stale",), ("examined",), "stale", "", "repeats one context for all its calls"),
}  # fmt: skip


def test_each_check() -> None:
    assert {one.key: (one.findings, one.of, one.note, one.repairs, one.does) for one in CHECKS} == KNOWN
    labels = [one.label for one in CHECKS]
    assert labels == [
        "Forwards", "Same trace", "One context", "Decision", "State", "Baggage, session", "Format", "Fresh",
    ]  # fmt: skip


@pytest.mark.parametrize("key", KNOWN)
def test_what_is_saved_and_what_cures_are_sentences(key: str) -> None:
    (one,) = (check for check in CHECKS if check.key == key)
    for text in (one.saved.format(repaired=1, looked=2), one.cure):
        assert text[0].isupper() or text.startswith("outbound.")
        assert text.endswith(".")
    assert ("{repaired}" in one.saved) is (one.repairs in ("linked", "carry-over"))
    assert one.saved.startswith("Not repaired: ") is (one.repairs == "")


@pytest.mark.parametrize(
    ("bad", "of", "stands"),
    [
        (0, 0, "unseen"),
        (0, 1, "ok"),
        (1, 3, "warn"),
        (49, 100, "warn"),
        (50, 100, "fail"),
        (1, 1, "fail"),
        (2, 1, "fail"),
    ],
)
def test_half_of_the_calls_is_bad(bad: int, of: int, stands: str) -> None:
    assert state(bad, of) == stands


@pytest.mark.parametrize(
    ("bad", "of", "words"),
    [
        (1, 1, "on its one call"), (2, 2, "on every call"), (5, 2, "on every call"), (1, 2, "on 1 of 2 calls"),
        (1000, 1204, "on 1,000 of 1,204 calls"),
    ],
)  # fmt: skip
def test_a_share_in_words(bad: int, of: int, words: str) -> None:
    assert share(bad, of) == words


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ({"lost-baggage": 1}, "loses baggage"), ({"lost-session": 2}, "loses the session"),
        ({"lost-baggage": 1, "lost-session": 2}, "loses baggage and the session"),
        ({"lost-baggage": 0, "lost-session": 2}, "loses the session"),
    ],
)  # fmt: skip
def test_what_is_lost_is_named(lost: dict[str, int], words: str) -> None:
    (check,) = (one for one in CHECKS if one.key == "baggage")
    assert told(check, "shop", 3, 2, lost) == f"shop {words} on every call."
    assert told(CHECKS[0], "shop", 1, 2, lost) == "shop drops the context on 1 of 2 calls."


@pytest.mark.parametrize(("count", "words"), [(1, "1 request."), (0, "0 requests."), (1234, "1,234 requests.")])
def test_a_format_that_is_not_read(count: int, words: str) -> None:
    said = unread_told("web", "shop", ["b3", "jaeger"], count)
    assert said == f"web speaks B3 and Jaeger to shop, which does not read it: {words}"


def test_200_rows_are_looked_at_for_repairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of them are shown."""
    asked = []

    class Reader:
        def all(self, sql: str, values: tuple[object, ...]) -> list[tuple[int]]:
            asked.append((sql.count("instr(notes, ?) > 0"), values))
            return [(number,) for number in range(int(str(values[-1])))]

    monkeypatch.setattr(doctor, "read_row", lambda row: {"notes": ["linked"] if row[0] < 150 else []})
    for key, repaired, notes in (("forwards", 150, [" gap "]), ("same", 0, [" re-minted "]),
                                 ("baggage", 0, [" lost-baggage ", " lost-session "])):  # fmt: skip
        (check,) = (one for one in CHECKS if one.key == key)
        rows, made_good, looked = doctor._proof(Reader(), check, "shop", 5)  # type: ignore[arg-type]  # a stand-in
        assert (len(rows), made_good, looked) == (3, repaired, 200)
        assert asked.pop() == (len(notes), ("shop", 5_000_000, *notes, 200))
