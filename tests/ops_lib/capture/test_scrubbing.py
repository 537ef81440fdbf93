"""Secrets are found by the name that they go by, wherever that stands, and by their shape."""

from __future__ import annotations

import collections
import dataclasses
import json
import time
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.capture.bounds import CaptureLimits, CaptureSettings
from ops_lib.capture.render import render, render_arguments
from ops_lib.capture.scrubbing import is_secret, role, scrubbed
from ops_lib.capture.shapes import SCRUBBED

DEFAULT = CaptureSettings()


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "userPassword",
        "PASSWD",
        "X-Api-Key",
        "api_key",
        "token",
        "accessToken",
        "access_tokens",
        "Authorization",
        "Set-Cookie",
        "auth",
        "JWT",
        "client_secret",
        "privateKey",
        "PIN",
        "db.password",
        "aws_secret_access_key",
        "csrf_token",
        "credentials",
        "dsn",
        "DB_PASS",
        "passcode",
    ],
)
def test_secret_names(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "max_tokens",
        "token_count",
        "auth_method",
        "tokenTTL",
        "author",
        "monkey",
        "key",
        "spinner",
        "tokenizer",
        "user",
        "id",
        "passenger",
        "happiness",
        "pass",
    ],
)
def test_harmless_names(name: str) -> None:
    assert not is_secret(name)


@given(st.text())
def test_a_secret_is_a_secret_in_any_company(name: str) -> None:
    assert is_secret(f"{name}_password")
    assert is_secret(f"password{name}")


@dataclasses.dataclass
class Field:
    name: str
    value: object


KeyValue = collections.namedtuple("KeyValue", "key value")


ENTRIES: list[Any] = [
    {"name": "password", "value": "hush"},
    {"value": "hush", "name": "password"},
    {"key": "X-Api-Key", "value": "hush"},
    {"Name": "DB_PASSWORD", "Value": "hush"},
    {b"name": b"Authorization", b"value": "hush"},
    {"header_name": "Cookie", "header_values": ["hush", "hush"]},
    {"key": "password", "value": {"stringValue": "hush"}},
    {"field": "password", "old": "hush", "new": "hush"},
    {"field": "password", "oldValue": "hush", "newValue": "hush"},
    {"value": "hush", **{str(number): number for number in range(40)}, "name": "password"},
    {"name": "password", "value": "hush", **{str(number): number for number in range(80)}},
    collections.ChainMap({"name": "password", "value": "hush"}),
    types.MappingProxyType({"name": "password", "value": "hush"}),
    types.SimpleNamespace(name="password", value="hush"),
    Field("password", "hush"),
    KeyValue("password", "hush"),
]
PAIRS: list[Any] = [
    [("Authorization", "hush"), ("Accept", "*/*")],
    [(b"authorization", "hush")],
    [["authorization", "hush"]],
    (("authorization", "hush"),),
    {("authorization", "hush")},
    [("authorization", "hush", True)],
    {"authorization": "hush"}.items(),
    collections.deque([("authorization", "hush")]),
    {1: Field("password", "hush")}.values(),
    [(b"authorization", {"a": "hush"})],
]


@pytest.mark.parametrize("value", ENTRIES + PAIRS)
def test_a_value_is_secret_by_the_name_beside_it(value: Any) -> None:
    text = render(value, DEFAULT)
    assert "hush" not in text
    assert "[scrubbed]" in text
    json.loads(text)
    assert "hush" not in render({"inner": [value]}, DEFAULT)
    assert "hush" not in render_arguments([("a", value)], CaptureSettings(limits=CaptureLimits(items=1)))


@pytest.mark.parametrize("value", [*ENTRIES[:7], *PAIRS[:3], ("password", "hush")])
def test_in_a_repr_as_well(value: Any) -> None:
    """As a log line or an exception's message has it: `Headers([('authorization', ...)])`."""
    reordered = dict(sorted(value.items())) if isinstance(value, dict) else value
    text = render(f"Thing({reordered!r}, n=1)", DEFAULT)
    assert "hush" not in text
    assert "n=1" in text


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"name": "password", "value": "hush hush"}),
        json.dumps({"name": "password", "value": "hush hush"}, indent=2),
        json.dumps({"name": "password", "type": "string", "value": ["hush hush", "hush"]}, separators=(",", ":")),
        json.dumps({"key": "password", "value": {"stringValue": "hush hush"}}),
        json.dumps({"body": json.dumps({"name": "password", "value": "hush"})}),
        json.dumps([["password", "hush hush"], ["pin", 4]]).replace("4", "hush"),
        "Field(name='password', value='hush hush')",
        "Client(password=b'hush hush')",
        "Client(password=['hush hush', 'hush'])",
        "{'credentials': {'user': 'hush', 'more': {'key': '} hush'}}}",
        "'password', ",
        "'password', 'hush",
    ],
)
def test_in_texts_as_well(text: str) -> None:
    assert "hush" not in render(text, DEFAULT)


@pytest.mark.parametrize(
    "value",
    [
        {"name": "max_tokens", "value": 5},
        {"name": "password", "type": "string", "required": True},
        {"kind": "token", "value": "Hello"},
        {"name": ["password"], "value": 1},
        {"name": None, "value": 1},
        ["password", "user", "email"],
        ["user", "password"],
        {"names": ["token"]},
        "'user', 'password'",
        '"name": "password", "type": "string", "max": 3',
        "'name': 'n', 'value': 'v'",
        ["--max-tokens", 5],
        ["--verbose", "password"],
        "--max-tokens 5 --author bob",
        "a -- b",
        "?token=&a=1",
        "password=, b=2",
        ("password", "a", "b", "c"),
        ("password",),
    ],
)
def test_what_is_no_secret_stays(value: object) -> None:
    assert json.loads(render(value, DEFAULT)) == json.loads(json.dumps(value))


@pytest.mark.parametrize(
    "command",
    [
        ["mysql", "--password", "hush", "-u", "bob"],
        ("deploy", "--db.password", "hush", "-u", "bob"),
        ["curl", "--api-key=hush", "-u", "bob"],
        [b"mysql", b"--password", b"hush", b"-u", b"bob"],
        "mysql --password hush -u bob",
        "mysql --password 'hush hush' -u bob",
        "mysql --password=hush -u bob",
    ],
)
def test_options_of_a_command(command: Any) -> None:
    """What is handed to subprocess.run, as words or as a line, and in the repr of both."""
    for value in (command, str(command), f"Popen(args={command!r})"):
        text = render(value, DEFAULT)
        assert "hush" not in text
        assert "[scrubbed]" in text
    assert "bob" in render(str(command), DEFAULT)


def test_named_by_another_argument() -> None:
    """`set_header("X-Api-Key", "hush")`"""
    assert render_arguments([("name", "X-Api-Key"), ("value", "hush")], DEFAULT) == (
        '{"name": "X-Api-Key", "value": "[scrubbed]"}'
    )


def test_named_by_further_names() -> None:
    settings = CaptureSettings(scrub=frozenset({"iban"}))
    assert render([{"name": "IBAN", "value": "DE00"}, ("iban", "DE00")], settings) == (
        '[{"name": "IBAN", "value": "[scrubbed]"}, ["iban", "[scrubbed]"]]'
    )


def test_a_name_is_what_it_holds_and_not_what_it_says() -> None:
    class Sly(str):
        def __str__(self) -> str:
            return "harmless"

        def lower(self) -> str:
            return "harmless"

        def __getitem__(self, key: Any) -> str:
            raise MemoryError

    assert render({"name": Sly("password"), "value": "hush"}, DEFAULT) == '{"name": "password", "value": "[scrubbed]"}'
    assert render({Sly("password"): "hush"}, DEFAULT) == '{"password": "[scrubbed]"}'


def test_an_endless_mapping_is_read_a_little() -> None:
    class Endless(dict[str, str]):
        read = 0

        def items(self) -> Any:
            while True:
                self.read += 1
                yield "name", "password"

    endless = Endless()
    assert len(render(endless, DEFAULT)) < 100
    assert endless.read < 100


@pytest.mark.parametrize(
    "text",
    [
        "'password', a:" * 5_000,
        "'password', a: " + "x," * 9_999,
        "password=(" * 5_000,
        "'token'," + "'" * 50_000,
        "-" * 50_000,
        "--token " * 5_000,
    ],
)
def test_long_texts_cost_little(text: str) -> None:
    settings = CaptureSettings(limits=CaptureLimits(text=5_000, total=20_000))
    start = time.process_time()
    render(text, settings)
    assert time.process_time() - start < 0.2


_NAMES = st.sampled_from(["name", "Key", b"name", "value", "values", "password", b"authorization", "token", "n", 1])
_ANY = st.recursive(
    _NAMES | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner) | st.tuples(inner, inner),
)


@given(_ANY)
def test_anything_gives_json(value: object) -> None:
    json.loads(render(value, CaptureSettings(limits=CaptureLimits(total=100_000))))


SECRETS = """
    password passwd passphrase secret apikey authorization credential privatekey accesskey accesstoken refreshtoken
    authtoken bearertoken idtoken sessiontoken csrftoken xsrftoken cookie passcode dbpass userpass smtppass signingkey
    encryptionkey creditcard cardnumber connectionstring accountkey sharedaccess securitytoken amzsignature
    googsignature
"""
WORDS = "token pwd auth jwt otp pin cvv cvc ssn bearer csrf xsrf dsn"
ABOUT = """
    count counts limit limits usage budget type types kind method mode length size total ratio rate cost price ttl age
    expiry expires endpoint enabled
"""
NAMING = "n k id header field param parameter variable var env option setting property prop attribute attr label column"
HOLDING = "v val content data default old new before after"


@pytest.mark.parametrize("part", SECRETS.split())
def test_each_part_of_a_name_that_tells_a_secret(part: str) -> None:
    """Anywhere in a name."""
    assert is_secret(f"x{part}y")
    assert not is_secret(f"q{part[1:]}")


@pytest.mark.parametrize("word", WORDS.split())
def test_each_word_of_a_name_that_tells_a_secret(word: str) -> None:
    """As a whole word: `author` is none."""
    assert is_secret(f"my_{word}")
    assert is_secret(f"my{word.capitalize()}")
    assert not is_secret(f"my_{word}y")


@pytest.mark.parametrize("last", ABOUT.split())
def test_each_last_word_of_a_name_that_is_only_about_a_secret(last: str) -> None:
    assert not is_secret(f"token_{last}")
    assert is_secret(f"{last}_token")


@pytest.mark.parametrize("name", [*NAMING.split(), "name", "key", "user_name", "entryKey"])
def test_each_entry_that_names_another(name: str) -> None:
    assert role(name, frozenset()) == "names"


@pytest.mark.parametrize("name", [*HOLDING.split(), "value", "values", "valueText", "newValue"])
def test_each_entry_that_holds_what_another_names(name: str) -> None:
    assert role(name, frozenset()) == "holds"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("token=[1, {2: (3)}, 4] and more", "token=*** and more"),
        ("token={'a': '}'} and", "token=*** and"),
        ("token=(1 and more", "token=***"),
        (
            "a=1 [type=missing, input_value='x', input_type=str] b=2",
            "a=1 [type=missing, input_value=***, input_type=str] b=2",
        ),
        ("[type=missing, input_value='x'", "[type=missing, input_value=***"),
        ("run --password hunter2 --user ann", "run --password *** --user ann"),
    ],
)
def test_a_value_ends_where_its_brackets_close(text: str, left: str) -> None:
    assert scrubbed(text, frozenset()).replace(SCRUBBED, "***") == left
