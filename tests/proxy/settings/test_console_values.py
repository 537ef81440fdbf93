"""Values of the console's settings at their edges, and its defaults."""

from __future__ import annotations

import pytest

from proxy.settings.models import Settings
from proxy.settings.sections.console_values import (
    Secret,
    parse_optional_token,
    parse_origin,
    parse_store,
    parse_token,
)

FORM = "a token of 8 to 256 letters, digits and ._~+/=-"


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (False, "off"), ("off", "off"), ("FALSE", "off"), (" auto ", "auto"), ("Auto", "auto"),
        ("a" * 8, "a" * 8), ("a" * 256, "a" * 256), (" aZ09._~+/=- ", "aZ09._~+/=-"), (Secret("x"), "x"),
    ],
)  # fmt: skip
def test_a_token(value: object, token: str) -> None:
    found = parse_token(value)
    assert (found.value if isinstance(found, Secret) else found) == token


@pytest.mark.parametrize("value", ["", "a" * 7, "a" * 257, "a b c d e", "12345678\n9", "ä" * 8, True, 12345678, None])
def test_what_is_not_a_token(value: object) -> None:
    with pytest.raises(ValueError) as caught:
        parse_token(value)
    assert str(caught.value) == f"expected auto, off, or {FORM}"


@pytest.mark.parametrize(
    ("value", "token"), [(None, None), ("", None), ("off", None), (False, None), ("a" * 8, "a" * 8)]
)
def test_a_token_that_may_be_missing(value: object, token: str | None) -> None:
    found = parse_optional_token(value)
    assert (found.value if found is not None else None) == token


@pytest.mark.parametrize(
    ("value", "said"),
    [("a" * 7, f"expected off, or {FORM}"), ("auto", "expected a token, or off: a sender has to know it")],
)
def test_what_is_not_a_token_that_may_be_missing(value: object, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_optional_token(value)
    assert str(caught.value) == said


def test_a_secret_is_never_shown() -> None:
    assert (str(Secret("hush")), repr(Secret("hush"))) == ("(hidden)", "Secret()")


@pytest.mark.parametrize(
    ("value", "origin"),
    [("*", "*"), (" HTTPS://Shop.Example ", "https://shop.example"), ("http://a:8080", "http://a:8080"),
     ("http://[::1]:1", "http://[::1]:1")],
)  # fmt: skip
def test_an_origin(value: object, origin: str) -> None:
    assert parse_origin(value) == origin


@pytest.mark.parametrize(
    "value",
    [
        "",
        "shop.example",
        "ftp://a",
        "https://",
        "https://a/",
        "https://a?b",
        "https://u@a",
        "http://[::1",
        None,
        5,
        "null",
    ],
)
def test_what_is_not_an_origin(value: object) -> None:
    with pytest.raises(ValueError) as caught:
        parse_origin(value)
    assert str(caught.value) == "expected an origin such as https://shop.example, or *"


@pytest.mark.parametrize(("value", "store"), [("memory", "memory"), (" /var/a b.db ", "/var/a b.db")])
def test_a_store(value: object, store: str) -> None:
    assert parse_store(value) == store


@pytest.mark.parametrize("value", ["", " ", "a\0b", None, 5, True])
def test_what_is_not_a_store(value: object) -> None:
    with pytest.raises(ValueError) as caught:
        parse_store(value)
    assert str(caught.value) == "expected memory, or the path of a file"


def test_the_defaults() -> None:
    console = Settings().console
    shown = {name: getattr(console, name) for name in type(console).model_fields if name not in ("forward", "report")}
    assert {**shown, "otlp": str(console.otlp)} == {
        "listen": None,
        "token": "auto",
        "hosts": (),
        "otlp": "127.0.0.1:4318",
        "otlp_token": None,
        "cors_origins": (),
        "store": "memory",
        "store_bytes": 0,
        "max_age_s": 0.0,
    }
    tls = {"ca_file": None, "verify": True, "cert_file": None, "key_file": None}
    assert console.forward.model_dump() == {
        "endpoint": None, "headers": (), "queue_bytes": 67_108_864, "timeout_s": 10.0, "give_up_s": 300.0, "tls": tls,
    }  # fmt: skip
    assert console.report.model_dump() == {
        "endpoint": None, "headers": (), "timeout_s": 5.0, "tls": tls, "interval_s": 10.0, "exchanges_per_second": 100,
        "queue_bytes": 4_194_304,
    }  # fmt: skip
