"""Which values are secrets: told by the name that they go by, or by their shape.

Pure: names and texts in, answers and texts out. Knows no limits but its own, which keep every look short. For what is
said here of a name, case and separators do not count: `X-Api-Key` is `xApiKey`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final, Literal, TypeAlias

from ops_lib.capture.shapes import SCRUBBED, without_shapes

LONGEST_NAME: Final = 256  # characters of a name that are looked at

# Found anywhere in a name once case and separators are gone: nothing harmless holds these.
_SECRET_PARTS: Final = (
    "password", "passwd", "passphrase", "secret", "apikey", "authorization", "credential", "privatekey", "accesskey",
    "accesstoken", "refreshtoken", "authtoken", "bearertoken", "idtoken", "sessiontoken", "csrftoken", "xsrftoken",
    "cookie", "passcode", "dbpass", "userpass", "smtppass", "signingkey", "encryptionkey", "creditcard", "cardnumber",
    "connectionstring", "accountkey", "sharedaccess", "securitytoken", "amzsignature", "googsignature",
)  # fmt: skip
# Only as whole words of a name: `max_tokens` and `author` are no secrets.
_SECRET_WORDS: Final = frozenset(
    {"token", "pwd", "auth", "jwt", "otp", "pin", "cvv", "cvc", "ssn", "bearer", "csrf", "xsrf", "dsn"}
)
# With one of these as its last word, a name says something about such a secret: `token_count`, `auth_method`.
_ABOUT: Final = frozenset(
    {"count", "counts", "limit", "limits", "usage", "budget", "type", "types", "kind", "method", "mode", "length",
     "size", "total", "ratio", "rate", "cost", "price", "ttl", "age", "expiry", "expires", "endpoint", "enabled"}
)  # fmt: skip
# Entries that go together, as in `{"name": "password", "value": "..."}`: who says the name, and who holds the value.
# Besides those that end in `name` or `key`, and those that begin or end with `value`.
_NAMING: Final = frozenset(
    {"n", "k", "id", "header", "field", "param", "parameter", "variable", "var", "env", "option", "setting", "property",
     "prop", "attribute", "attr", "label", "column"}
)  # fmt: skip
_HOLDING: Final = frozenset({"v", "val", "content", "data", "default", "old", "new", "before", "after"})

_STRING: Final = r"""\\++"[^"]*+"?|\\++'[^']*+'?|"(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?"""
_PATTERNS: Final = {
    "word": r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+",
    # `password=`, `"token": `, `?token=`, `--token=` within a text, and what follows. Possessive: a long name is read
    # once.
    "assigned": r"""(?<![\w.-])-*+(\w[\w.-]*+)\\*+["']?+\s*+[=:]\s*+""",
    # `--password `: an option of a command, and what follows.
    "option": r"""(?<![\w.-])--(\w[\w-]*+)\s++""",
    # `'password', `: the first half of a pair, unless a key follows; then what matters is `"value": ` within the same
    # brackets.
    "told": r"""["']-*+(\w[\w.-]*+)\\*+["']\s*+,\s*+""",
    "key": rf"""(?:b?+(?:{_STRING})|[\w.-]++)\s*+[=:]""",
    "holding": (
        r"""(?:[^][{}()]{0,256}?,\s*+)??"""
        r"""(?:b?+\\*+["']\w{0,32}(?:[Vv]alues?|[Vv]al)\\*+["']|\w{0,32}[Vv]alues?|[Vv]al)\s*+[=:]\s*+"""
    ),
    "value": rf"""[bru]{{0,2}}+(?:{_STRING})|[^\s,;&)}}\]]+""",
    "bracket": rf"""{_STRING}|[][{{}}()]""",
    # What pydantic says of the input that it has refused, up to the words that follow it.
    "input": r"""\[type=[^\s,\]]{1,100}, input_value=""",
}


_SCRUBBED: Final = (SCRUBBED, f'"{SCRUBBED}"', f"'{SCRUBBED}'")  # as it stands in texts that were scrubbed before


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """A pattern of _PATTERNS, compiled when first wanted: most processes that import this never record a value."""
    return re.compile(_PATTERNS[name])


def normalised(name: str) -> str:
    """A name without case and separators: `X-Api-Key` and `xApiKey` give `xapikey`."""
    return "".join(filter(str.isalnum, name.lower()))


Role: TypeAlias = Literal["secret", "names", "holds", "none"]
"""What an entry is by its name: a secret; who says what another entry holds; who holds what another one names."""


def role(name: str, extra: frozenset[str]) -> Role:
    """The role of an entry of this name. `extra`: further names of secrets, normalised, found anywhere in the name."""
    return _known_role(name, extra) if len(name) <= _MAX_NAME_LENGTH else _role(name, extra)


def _role(name: str, extra: frozenset[str]) -> Role:
    flat = normalised(name)
    if any(part in flat for part in _SECRET_PARTS) or any(part in flat for part in extra):
        return "secret"
    words = [word.lower() for word in _pattern("word").findall(name)]
    if not _SECRET_WORDS.isdisjoint(words) and words[-1] not in _ABOUT:
        return "secret"
    if flat.startswith("value") or flat.endswith(("value", "values")) or flat in _HOLDING:
        return "holds"
    return "names" if flat.endswith(("name", "key")) or flat in _NAMING else "none"


# Names can come from outside (a dict that was JSON), so what is remembered of them is bounded: 64 KiB, none of it long.
_MAX_NAMES = 1024
_MAX_NAME_LENGTH = 64
_known_role = lru_cache(_MAX_NAMES)(_role)


def is_secret(name: str, extra: frozenset[str] = frozenset()) -> bool:
    """Whether a value of this name is a secret. `extra` as `role` takes it."""
    return role(name, extra) == "secret"


def decoded(name: object) -> str | None:
    """`name` as a plain string if it is one, in text or in bytes (headers); else None."""
    kind = type(name)  # not `__class__`, which may be a property and raise; nor methods of a class of its own
    if kind is str:
        return name  # type: ignore[return-value]  # a string
    if issubclass(kind, str):
        return str.__str__(name)
    if issubclass(kind, bytes):
        return bytes.decode(name, "latin-1")  # type: ignore[arg-type]  # as issubclass says
    return None


def names_a_secret(name: object, extra: frozenset[str]) -> bool:
    """As `is_secret`, of any object; what is no text names nothing."""
    text = decoded(name)
    return text is not None and is_secret(text[:LONGEST_NAME], extra)


def is_option_of_a_secret(word: object, extra: frozenset[str]) -> bool:
    """Whether `word`, one of a command's, says that the next one is a secret: `--password`."""
    text = decoded(word)
    return text is not None and text.startswith("--") and "=" not in text and names_a_secret(text, extra)


def tell_of_a_secret(pairs: Iterable[tuple[object, object]], extra: frozenset[str]) -> bool:
    """Whether one of the entries `pairs` says that another one holds a secret: `name` is `password`."""
    return any(
        (name := decoded(key)) is not None
        and role(name[:LONGEST_NAME], extra) == "names"
        and names_a_secret(value, extra)
        for key, value in pairs
    )


def scrubbed(text: str, extra: frozenset[str]) -> str:
    """`text` without secrets of known shape, and without the values of secret names."""
    text = without_shapes(text)
    if ", input_value=" in text:
        text = _without_inputs(text)
    if "=" in text or ":" in text:
        text = _without_values(text, "assigned", extra)
    if "--" in text:
        text = _without_values(text, "option", extra)
    if "," in text and ("'" in text or '"' in text):
        text = _without_values(text, "told", extra)
    return text


def _without_values(text: str, how: str, extra: frozenset[str]) -> str:
    """`text` without the values that belong to secret names, which the pattern `how` finds."""
    kept: list[str] = []
    end = 0
    for name in _pattern(how).finditer(text):
        # What is in a value that was scrubbed is gone; what is in another one is looked at.
        if name.start() < end or not is_secret(name[1][:LONGEST_NAME], extra):
            continue
        start = name.end()
        if how == "told" and _pattern("key").match(text, start) is not None:
            if (holding := _pattern("holding").match(text, start)) is None:
                continue
            start = holding.end()
        if (stop := _end_of_value(text, start)) > start and not text.startswith(_SCRUBBED, start):
            kept += text[end:start], SCRUBBED
            end = stop
    return "".join(kept) + text[end:] if kept else text


def _without_inputs(text: str) -> str:
    """`text` without the refused inputs in the message of a pydantic error, which no name stands before."""
    kept: list[str] = []
    end = 0
    while (found := _pattern("input").search(text, end)) is not None:
        kept += text[end : found.end()], SCRUBBED
        stop = text.find(", input_type=", found.end())
        end = stop if stop >= 0 else len(text)
    return "".join(kept) + text[end:]


def _end_of_value(text: str, start: int) -> int:
    """Where the value that begins at `start` ends: behind its closing quote or bracket, or before what separates."""
    if text[start : start + 1] not in ("[", "{", "("):
        value = _pattern("value").match(text, start)
        return start if value is None else value.end()
    depth = 0
    for found in _pattern("bracket").finditer(text, start):
        depth += {"[": 1, "{": 1, "(": 1, "]": -1, "}": -1, ")": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    return len(text)
