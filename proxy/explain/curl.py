"""The headers of a pasted curl command. PURE."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from proxy.explain.headers import Header, HeaderInputError, read_headers

_NAMED = {"-A": "User-Agent", "--user-agent": "User-Agent", "-b": "Cookie", "--cookie": "Cookie", "-e": "Referer",
          "--referer": "Referer"}  # fmt: skip
_WITH_VALUE = frozenset(
    [
        "-d",
        "-X",
        "--request",
        "-u",
        "--user",
        "-o",
        "--output",
        "-F",
        "--form",
        "--json",
        "-m",
        "--max-time",
        "-x",
        "--proxy",
        "--url",
        "-T",
        "--upload-file",
        "--resolve",
        "--connect-to",
    ]
)


def is_curl(text: str) -> bool:
    """Whether `text` begins as a curl command, perhaps behind a prompt."""
    return text.lstrip().removeprefix("$").lstrip().startswith("curl ")


def read_curl(text: str) -> list[Header]:
    """Raises HeaderInputError."""
    command = text.lstrip().removeprefix("$").replace("\\\r\n", " ").replace("\\\n", " ").replace("^\r\n", " ")
    try:
        words = shlex.split(command)
    except ValueError:
        raise HeaderInputError("the curl command has a quote without its end") from None
    return list(_headers(words))


def _headers(words: list[str]) -> Iterator[Header]:
    rest = iter(words)
    for word in rest:
        if word in ("-H", "--header"):
            yield from _header(next(rest, ""))
        elif word.startswith("--header="):
            yield from _header(word.partition("=")[2])
        elif word.startswith("-H"):
            yield from _header(word[2:])
        elif word in _NAMED:
            yield _NAMED[word], next(rest, "")
        elif word in _WITH_VALUE or word.startswith("--data"):
            next(rest, "")


def _header(text: str) -> list[Header]:
    """`Name;` is curl's empty header, and `Name:` removes one."""
    if text.endswith(";") and ":" not in text:
        return [(text[:-1], "")]
    ((name, value),) = read_headers([text])
    return [(name, value)] if value else []
