"""When a format can be stopped: each sentence, at both sides of each edge. Times to the millisecond."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.console.query.reported.coverage import Coverage
from proxy.console.query.reported.verdicts import Needs, verdict

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = 20_000 * DAY + 5 * HOUR + 7 * MINUTE  # 4 Oct 2024, 05:07
FROM = NOW - 14 * DAY
NONE = Needs(of=1000, number=0, last=0, last_peer="", peers=(), rows=())
KNOWN = Coverage(since=FROM, why="", silent=(), silent_since=0)
SAFE = {
    "safe": True,
    "sentence": "Safe to stop sending B3 to shop: none of 1,000 requests in 14 days, no sidecar silent meanwhile.",
    "why": "None of 1,000 requests needed it: each told its trace in another format, or had none.",
}


def said(needs: Needs = NONE, coverage: Coverage = KNOWN, **more: Any) -> dict[str, Any]:
    return verdict("shop", "b3", needs, coverage, NOW, 14, **more)


def needed(ago_ms: int, **more: Any) -> Needs:
    made = Needs(of=1204, number=3, last=NOW - ago_ms, last_peer="cron", peers=("cron",), rows=())
    return made._replace(**more)


def test_safe() -> None:
    assert said() == SAFE


@pytest.mark.parametrize(
    ("of", "words", "number"),
    [(1, "1", "1 call"), (999_999, "999,999", "999,999 calls"), (1_000_000, "1.0 M", "1,000,000 calls"),
     (1_260_000, "1.3 M", "1,260,000 calls")],
)  # fmt: skip
def test_of_how_many_it_is_safe(of: int, words: str, number: str) -> None:
    found = said(NONE._replace(of=of), what="call")
    assert f"none of {words} calls in 14 days" in found["sentence"]
    assert found["why"].startswith(f"None of {number} needed it: ")


def test_safe_names_the_last_that_needed_it() -> None:
    found = said(NONE._replace(last=FROM - 1, last_peer="cron"))
    assert found["safe"] is True
    assert found["why"] == f"{SAFE['why']} The last that needed it came 14 days ago, from cron."


@pytest.mark.parametrize(
    ("gone", "lost", "words"),
    [
        ("a", "1 sidecar", "a"),
        ("abc", "3 sidecars", "a, b and c"),
        ("abcd", "4 sidecars", "a, b, c and 1 more"),
    ],
)
def test_safe_names_sidecars_that_nobody_waits_for(gone: str, lost: str, words: str) -> None:
    assert said(coverage=KNOWN._replace(gone=tuple(gone))) == {
        "safe": True,
        "sentence": f"Safe to stop sending B3 to shop: none of 1,000 requests in 14 days, {lost} lost before that.",
        "why": f"{SAFE['why']} Nothing was heard of {words} for more than 14 days.",
    }


def test_where_nothing_came_nothing_is_known() -> None:
    assert said(NONE._replace(of=0), what="call") == {
        "safe": "soon",
        "sentence": "Wait: shop was not called.",
        "why": "No call came in 14 days, so none could need it.",
    }


def test_a_silent_sidecar() -> None:
    silent = KNOWN._replace(silent=("a", "b", "c", "d"), silent_since=NOW - 2 * HOUR, since=NOW)
    assert said(coverage=silent) == {
        "safe": "soon",
        "sentence": "Wait: a sidecar of shop is silent.",
        "why": "a, b and c said nothing for 2 hours, and may know of one that needs it.",
    }


@pytest.mark.parametrize(
    ("why", "before"),
    [("", "the first report is no older"), ("the console heard nothing", "before that the console heard nothing")],
)
def test_a_time_that_is_not_known_whole(why: str, before: str) -> None:
    rows = ((FROM, 100), (FROM + DAY, 20), (NOW, 3))
    coverage = KNOWN._replace(since=FROM + DAY, why=why)
    assert said(NONE._replace(rows=rows), coverage) == {
        "safe": "soon",
        "sentence": "Wait: B3 to shop is not known for 14 days yet.",
        "why": f"None of 23 requests since 21 Sep 05:07 UTC needed it; {before}. Safe in 1 day if none comes.",
    }


@pytest.mark.parametrize(
    ("later_ms", "days"), [(1, "1 day"), (DAY, "1 day"), (DAY + 1, "2 days"), (14 * DAY, "14 days")]
)
def test_how_long_to_wait_is_rounded_up(later_ms: int, days: str) -> None:
    assert f"Safe in {days} if none comes." in said(coverage=KNOWN._replace(since=FROM + later_ms))["why"]


def test_what_is_needed_now() -> None:
    assert said(needed(DAY - 1)) == {
        "safe": False,
        "sentence": "Not yet: shop gets B3 alone from cron.",
        "why": "3 of 1,204 requests in 14 days had no other format; the last came 23 hours ago, from cron.",
    }
    assert said(needed(0), what="call")["sentence"] == "Not yet: shop makes calls in B3 alone."
    assert " of 1,204 calls in 14 days " in said(needed(0), what="call")["why"]


def test_what_was_needed_a_day_ago() -> None:
    assert said(needed(DAY)) == {
        "safe": "soon",
        "sentence": "Wait: the last request that needed B3 came 24 hours ago, from cron.",
        "why": "3 of 1,204 requests in 14 days had no other format. Safe in 13 days if none comes.",
    }
    assert "the last call that needed" in said(needed(DAY), what="call")["sentence"]


def test_a_need_counts_for_14_days_to_the_millisecond() -> None:
    assert said(needed(14 * DAY))["safe"] == "soon"
    assert said(needed(14 * DAY))["why"].endswith("Safe in 1 day if none comes.")
    assert said(needed(14 * DAY + 1))["safe"] is True


@pytest.mark.parametrize(
    ("peers", "words"),
    [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("abcd", "a, b, c and 1 more"),
     ("abcdef", "a, b, c and 3 more")],
)  # fmt: skip
def test_three_that_need_it_are_named(peers: str, words: str) -> None:
    assert said(needed(0, peers=tuple(peers)))["sentence"] == f"Not yet: shop gets B3 alone from {words}."


@pytest.mark.parametrize(
    ("ago_ms", "words"),
    [
        (-5000, "less than a minute"),
        (MINUTE - 1, "less than a minute"),
        (MINUTE, "1 minute"),
        (2 * MINUTE - 1, "1 minute"),
        (HOUR - 1, "59 minutes"),
        (HOUR, "1 hour"),
        (2 * DAY - 1, "47 hours"),
        (2 * DAY, "2 days"),
        (3 * DAY - 1, "2 days"),
    ],
)
def test_how_long_ago(ago_ms: int, words: str) -> None:
    found = said(needed(ago_ms))
    assert f"came {words} ago, from cron." in found["why"] + found["sentence"]
