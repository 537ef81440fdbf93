"""Patterns of hosts as they are read or refused: `patterns.txt` has what was reviewed, word by word."""

from __future__ import annotations

from pathlib import Path

from lab.texts import check_text

from ops_lib.hosts import parse_pattern

TEXTS = (
    "",
    " ",
    "a",
    "A.Internal.",
    " a ",
    "*",
    "*.a",
    "*.A.b:80",
    "*a",
    "a.*",
    "*.*.a",
    "a*b",
    "*.",
    "*.10",
    "*.10.0",
    "*.1a",
    "a:1",
    "a:65535",
    "a:0",
    "a:65536",
    "a:",
    "a:x",
    "a:-1",
    "a:01",
    "http://a",
    "https://a:443",
    "a/b",
    "a_b",
    "a-",
    "-a",
    "a-.b",
    "a..b",
    ".a",
    "ü.example",
    "xn--tda.example",
    "a b",
    "a@b",
    "a%b",
    "fe80::1%eth0",
    "x" * 63,
    "x" * 64,
    ".".join(["x" * 63] * 4),
    ".".join(["x" * 61] * 4),
    "10.0.0.1",
    "10.0.0.1:80",
    "10.0.0.0/8",
    "10.0.0.1/8",
    "10.0.0.0/8:80",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/x",
    "10.0.0.0/-1",
    "0.0.0.0/0",
    "10.1",
    "1",
    "0x7f.1",
    "0177.0.0.1",
    "256.0.0.1",
    "1.2.3.4.5",
    "::1",
    "[::1]",
    "[::1]:80",
    "[::1]:0",
    "[::1",
    "::1]",
    "[::1]x",
    "[a]:80",
    "fd00::/8",
    "[fd00::]/8",
    "[fd00::]/8:80",
    "[fd00::/8]:80",
    "[fd00::/8",
    "fd00::/129",
    "fd00::1/8",
    "::ffff:10.0.0.1",
    "::ffff:10.0.0.0/104",
    "::ffff:0:0/96",
    "::/0",
    "1::2::3",
    "*:80",
    "*:0",
    "[*]:80",
    "*.a/8",
)


def test_patterns_are_read_or_refused_as_reviewed() -> None:
    lines = []
    for text in TEXTS:
        try:
            said = repr(parse_pattern(text))
        except ValueError as error:
            said = f"error: {error}"
        lines.append(f"{text[:70]!r}: {said[:300]}\n")
    check_text("".join(lines), Path(__file__).parent / "patterns.txt")
