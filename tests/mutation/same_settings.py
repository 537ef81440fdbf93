"""Of `same`, the part for settings: words for type checkers, and what is read again or never asked."""

from __future__ import annotations

from typing import Final

OF_SETTINGS: Final[dict[tuple[str, str], tuple[frozenset[str], str]]] = {
    **{
        (path, line): (frozenset(others), "its own validator reads it; the word is for type checkers")
        for path, line, *others in (
            (
                "proxy/settings/kinds.py",
                'SecondsOrAuto = Annotated[Literal["auto"] | float, '
                'PlainValidator(_or_auto(_within(parse_seconds, 0, 86400 * 7, " s")))]',
                "'quto'",
            ),
            (
                "proxy/settings/kinds.py",
                'Switch = Annotated[Literal["auto"] | bool, PlainValidator(values.parse_switch)]',
                "'quto'",
            ),
            (
                "proxy/settings/sections/console.py",
                'Token = Annotated[Secret | Literal["auto", "off"], PlainValidator(console_values.parse_token)]',
                *("'quto'", "'qff'"),
            ),
            ("proxy/settings/values.py", 'OnDefer = Literal["accept", "deny"] | float', "'qccept'", "'qeny'"),
        )
    },
    (
        "proxy/settings/admin_address.py",
        'return _read(section["listen"]) if section and "listen" in section else key.default',
    ): (frozenset({"None"}), "then all settings are read, which say the same"),
    ("proxy/settings/problems.py", 'kept = 2 if path[:1] in (("upstreams",), ("trust",)) else 0'): (
        frozenset({"(3)", "(-1)"}),
        "a word follows the number of an item, and no place is below 0",
    ),
    **{
        ("proxy/settings/problems.py", line): (
            frozenset(others),
            "pydantic does not use this kind for our models today",
        )
        for line, *others in (
            (
                'elif kind in ("model_type", "model_attributes_type", "dict_type"):',
                *("'qodel_attributes_type'", "'qict_type'"),
            ),
            ('elif kind in ("tuple_type", "list_type"):', "'qist_type'"),
        )
    },
}
