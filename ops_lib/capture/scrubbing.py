"""Which values are secrets: recognised by their name, or by their shape.

Pure: names and texts in, answers and texts out.
Its own limits keep every search short.
Case and separators of names do not count: `X-Api-Key` is `xApiKey`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final, Literal, TypeAlias

from ops_lib.capture.shapes import SCRUBBED, without_shapes

LONGEST_NAME: Final = 256  # characters of a name that are examined

# Matched anywhere in a name, ignoring case and separators: no harmless name contains these.
_SECRET_PARTS: Final = (
    "password", "passwd", "passphrase", "secret", "apikey", "authorization", "credential", "privatekey", "accesskey",
    "accesstoken", "refreshtoken", "authtoken", "bearertoken", "idtoken", "sessiontoken", "csrftoken", "xsrftoken",
    "cookie", "passcode", "dbpass", "userpass", "smtppass", "signingkey", "encryptionkey", "creditcard", "cardnumber",
    "connectionstring", "accountkey", "sharedaccess", "securitytoken", "amzsignature", "googsignature",
)  # fmt: skip
# Matched only as whole words of a name: `max_tokens` and `author` are not secrets.
_SECRET_WORDS: Final = frozenset(
    {"token", "pwd", "auth", "jwt", "otp", "pin", "cvv", "cvc", "ssn", "bearer", "csrf", "xsrf", "dsn"}
)
# With one of these as its last word, a name describes a secret but is not one: `token_count`, `auth_method`.
_ABOUT: Final = frozenset(
    {"count", "counts", "limit", "limits", "usage", "budget", "type", "types", "kind", "method", "mode", "length",
     "size", "total", "ratio", "rate", "cost", "price", "ttl", "age", "expiry", "expires", "endpoint", "enabled"}
)  # fmt: skip
# Entries that belong together, as in `{"name": "password", "value": "..."}`: one has the name, the other the value.
# Besides those that end in `name` or `key`, and those that begin or end with `value`.
_NAMING: Final = frozenset(
    {"n", "k", "id", "header", "field", "param", "parameter", "variable", "var", "env", "option", "setting", "property",
     "prop", "attribute", "attr", "label", "column"}
)  # fmt: skip
_HOLDING: Final = frozenset({"v", "val", "content", "data", "default", "old", "new", "before", "after"})

_STRING: Final = r"""\\++"[^"]*+"?|\\++'[^']*+'?|"(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?"""
_PATTERNS: Final = {
    "word": r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+",
    # `password=`, `"token": `, `?token=`, `--token=` within a text, and what follows.
    # Possessive quantifiers, so that a long name is read once.
    "assigned": r"""(?<![\w.-])-*+(\w[\w.-]*+)\\*+["']?+\s*+[=:]\s*+""",
    # `--password `: an option of a command, and what follows.
    "option": r"""(?<![\w.-])--(\w[\w-]*+)\s++""",
    # `'password', `: the first half of a pair, unless a key follows;
    # then what matters is `"value": ` within the same brackets.
    "told": r"""["']-*+(\w[\w.-]*+)\\*+["']\s*+,\s*+""",
    "key": rf"""(?:b?+(?:{_STRING})|[\w.-]++)\s*+[=:]""",
    "holding": (
        r"""(?:[^][{}()]{0,256}?,\s*+)??"""
        r"""(?:b?+\\*+["']\w{0,32}(?:[Vv]alues?|[Vv]al)\\*+["']|\w{0,32}[Vv]alues?|[Vv]al)\s*+[=:]\s*+"""
    ),
    "value": rf"""[bru]{{0,2}}+(?:{_STRING})|[^\s,;&)}}\]]+""",
    "bracket": rf"""{_STRING}|[][{{}}()]""",
    # The input that pydantic shows in an error, up to the words after it.
    "input": r"""\[type=[^\s,\]]{1,100}, input_value=""",
}


_SCRUBBED: Final = (SCRUBBED, f'"{SCRUBBED}"', f"'{SCRUBBED}'")  # as in texts that were scrubbed before


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """A pattern of _PATTERNS, compiled on first use, for speed: most processes that import this never
    record a value.
    """
    return re.compile(_PATTERNS[name])


def normalised(name: str) -> str:
    """A name without case and separators: `X-Api-Key` and `xApiKey` give `xapikey`."""
    return "".join(filter(str.isalnum, name.lower()))


Role: TypeAlias = Literal["secret", "names", "holds", "none"]
"""The role of an entry, by its name: a secret; the name of another entry's value; the value that
another entry names.
"""


def role(name: str, extra: frozenset[str]) -> Role:
    """The role of an entry with this name. `extra`: further secret names, normalised, matched anywhere in the name."""
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


# Names can come from outside (a dict that was JSON), so the memory is bounded: 64 KiB of short names.
_MAX_NAMES = 1024
_MAX_NAME_LENGTH = 64
_known_role = lru_cache(_MAX_NAMES)(_role)


def is_secret(name: str, extra: frozenset[str] = frozenset()) -> bool:
    """Whether a value with this name is a secret. `extra`: see `role`."""
    return role(name, extra) == "secret"


def decoded(name: object) -> str | None:
    """`name` as a plain string if it is one, in text or in bytes (headers); else None."""
    kind = type(name)  # not `__class__`, which may be a property that raises; not overridden methods
    if kind is str:
        return name  # type: ignore[return-value]  # a string
    if issubclass(kind, str):
        return str.__str__(name)
    if issubclass(kind, bytes):
        return bytes.decode(name, "latin-1")  # type: ignore[arg-type]  # as issubclass says
    return None


def names_a_secret(name: object, extra: frozenset[str]) -> bool:
    """As `is_secret`, for any object; only text can be a name."""
    text = decoded(name)
    return text is not None and is_secret(text[:LONGEST_NAME], extra)


def is_option_of_a_secret(word: object, extra: frozenset[str]) -> bool:
    """Whether `word` of a command makes the next one a secret: `--password`."""
    text = decoded(word)
    return text is not None and text.startswith("--") and "=" not in text and names_a_secret(text, extra)


def tell_of_a_secret(pairs: Iterable[tuple[object, object]], extra: frozenset[str]) -> bool:
    """Whether one entry of `pairs` makes another one a secret: `name` is `password`."""
    return any(
        (name := decoded(key)) is not None
        and role(name[:LONGEST_NAME], extra) == "names"
        and names_a_secret(value, extra)
        for key, value in pairs
    )


def scrubbed(text: str, extra: frozenset[str]) -> str:
    """`text` without secrets of known shape, and without values of secret names."""
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
        # A scrubbed value is gone as a whole; other values are searched.
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
    """`text` without the inputs in pydantic's error messages, which have no name before them."""
    kept: list[str] = []
    end = 0
    while (found := _pattern("input").search(text, end)) is not None:
        kept += text[end : found.end()], SCRUBBED
        stop = text.find(", input_type=", found.end())
        end = stop if stop >= 0 else len(text)
    return "".join(kept) + text[end:]


def _end_of_value(text: str, start: int) -> int:
    """The end of the value that begins at `start`: after its closing quote or bracket, or before a separator."""
    if text[start : start + 1] not in ("[", "{", "("):
        value = _pattern("value").match(text, start)
        return start if value is None else value.end()
    depth = 0
    for found in _pattern("bracket").finditer(text, start):
        depth += {"[": 1, "{": 1, "(": 1, "]": -1, "}": -1, ")": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    return len(text)
