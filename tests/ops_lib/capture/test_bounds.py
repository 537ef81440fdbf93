"""One text: cut, scrubbed, encodable, and never half a secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.capture.bounds import CaptureLimits, CaptureSettings, bounded, remember

KEY = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("x" * 10, "x" * 10),
        ("x" * 11, "x" * 10 + "…"),
        ("x" * 20, "x" * 10 + "…"),
        ("x" * 21, "x" * 10 + "…"),
        ("ä" * 10, "ä" * 10),
        ("\ud800", "\\ud800"),
    ],
)
def test_at_its_edge(text: str, kept: str) -> None:
    assert bounded(text, 10, CaptureSettings()) == kept


@pytest.mark.slow
@pytest.mark.parametrize("before", range(0, 200, 3))
def test_a_secret_on_the_edge_is_not_halved(before: int) -> None:
    """Wherever the text is cut, and also where so much was scrubbed that what was beyond the limit moves up."""
    for text in (f"{'x ' * (before // 2)}{KEY} tail", f"{KEY} {'y' * before} {KEY} {KEY} tail {KEY}"):
        for limit in (40, 64, 100):
            assert "16C7" not in bounded(text, limit, CaptureSettings())


@pytest.mark.slow
@given(st.text(), st.integers(1, 50))
def test_any_text_in_any_limit(text: str, limit: int) -> None:
    kept = bounded(text, limit, CaptureSettings())
    kept.encode()
    assert len(kept) <= limit + 1
    lines = bounded(text, limit, CaptureSettings(), keep_end=True)
    assert len(lines) <= limit + 1


def test_lines_keep_their_ends() -> None:
    text = "".join(f"line {number}\n" for number in range(100))
    assert bounded(text, 40, CaptureSettings(), keep_end=True).startswith("line 0\n")
    assert bounded(text, 40, CaptureSettings(), keep_end=True).endswith("line 98\nline 99\n")


@given(st.text(alphabet="aé \"'=:,-[]{}\\\n") | st.sampled_from(["password", "token", "Bearer a", KEY]))
def test_what_was_scrubbed_stays_as_it_is(text: str) -> None:
    once = bounded(f"password={text} 'token', '{text}' --api-key {text}", 500, CaptureSettings())
    assert bounded(once, 500, CaptureSettings()) == once


def test_what_was_remembered_is_cut_where_less_fits() -> None:
    settings = CaptureSettings()
    assert bounded("x" * 20, 20, settings) == "x" * 20
    assert bounded("x" * 20, 10, settings) == "x" * 10 + "…"
    assert bounded("x" * 20, 20, settings) == "x" * 20


def test_whole_lines_are_kept_of_a_long_text() -> None:
    """Half a line could be half a secret."""
    text = "a\n" + "b" * 100 + "\nc\n"
    assert bounded(text, 40, CaptureSettings(), keep_end=True) == "a\n…\nc\n"
    assert bounded("b" * 100, 40, CaptureSettings(), keep_end=True) == "b" * 40 + "…"
    assert bounded("b" * 100 + "\n", 40, CaptureSettings(), keep_end=True) == "…\n"
    with_secret = f"Bearer {'h' * 30}\n" + "b\n" * 100 + "end"
    assert bounded(with_secret, 40, CaptureSettings(), keep_end=True).startswith("Bearer [scrub")
    assert bounded(f"Bearer {'h' * 30}\n{'b' * 100}\nthe end", 40, CaptureSettings(), keep_end=True) == (
        "Bearer [scrubbed]\n…\nthe end"
    )


def test_the_bounds_are_those_that_the_page_promises() -> None:
    assert CaptureLimits() == CaptureLimits(text=256, items=20, depth=4, total=2048, stack=8192)


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("\n" + "a" * 50 + "\nb", 10, "\n…\nb"),
        ("a" * 4 + "\n" + "b" * 50 + "\n" + "c" * 3, 10, "aaaa\n…\nccc"),
        ("a" * 4 + "\n" + "b" * 50 + "\n" + "c" * 4, 10, "aaa…\n…\ncccc"),  # 11: a third, and the rest of the limit
        ("a" * 50 + "\n" + "c" * 8, 10, "…\ncccccccc"),
        ("a" * 50 + "\n" + "c" * 10, 10, "aaaaaaaaaa…"),
        ("a" * 7 + "\n" + "b" * 50 + "\n", 10, "aaaaaaa\n…\n"),
        ("abc\ndef", 7, "abc\ndef"),
        ("abcd\nef\nghij", 9, "abc…f\nghij"),
    ],
)
def test_the_ends_of_a_text_are_kept(text: str, limit: int, kept: str) -> None:
    assert bounded(text, limit, CaptureSettings(), keep_end=True) == kept


@pytest.mark.parametrize(
    ("size", "kept"), [(10, "a" * 10), (11, "a" * 10 + "…"), (20, "a" * 10 + "…"), (21, "a" * 10 + "…")]
)
def test_a_text_of_exactly_the_limit_is_whole(size: int, kept: str) -> None:
    settings = CaptureSettings()
    for _ in range(2):
        assert bounded("a" * size, 10, settings) == kept
    assert bounded("a" * size, 10, settings, mark="!") == kept.replace("…", "!")


def test_1024_texts_of_128_characters_are_remembered() -> None:
    known: set[str] = set()
    remember("x" * 129, known)
    assert known == set()
    remember("x" * 128, known)
    for number in range(1023):
        remember(f"{number}", known)
    assert len(known) == 1024
    remember("more", known)
    assert known == {"more"}


@pytest.mark.parametrize("name", ["text", "items", "depth", "total", "stack"])
def test_each_limit_is_at_least_one(name: str) -> None:
    assert getattr(CaptureLimits(**{name: 1}), name) == 1
    with pytest.raises(ValueError, match=rf"^CaptureLimits\.{name} must be at least 1, not 0$"):
        CaptureLimits(**{name: 0})
