"""Addresses, targets and patterns: what is read, and what is refused with which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.address import Address
from proxy.settings.addresses import (
    TargetUrl,
    parse_listen,
    parse_listens,
    parse_pattern,
    parse_target,
)
from tests.vectors.hosts.rows import refused, shown


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:9080", Address("127.0.0.1", 9080)),
        ("[::1]:0", Address("::1", 0)),
        ("[0:0:0:0:0:0:0:1]:80", Address("::1", 80)),
        ("LocalHost:9080", Address("localhost", 9080)),
        ("unix:/run/app.sock", Address(unix_path="/run/app.sock")),
        ("bücher.de:80", Address("xn--bcher-kva.de", 80)),
        ("[::ffff:127.0.0.1]:80", Address("127.0.0.1", 80)),
        (" 0.0.0.0:65535 ", Address("0.0.0.0", 65535)),
        *((word, None) for word in ("off", "OFF", "null", "none", "false", None, False)),
    ],
)
def test_a_listen_address_is_read(text: object, endpoint: Address | None) -> None:
    assert parse_listen(text) == endpoint


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("9080", "port is missing"),
        (":9080", "0.0.0.0:9080"),
        ("::1:9080", "brackets"),
        ("127.0.0.1", "port is missing"),
        ("127.0.0.1:65536", "65535"),
        ("127.0.0.1:http", "is not a port"),
        ("127.0.0.256:80", "is not an IPv4 address"),
        ("[::g]:80", "is not an IPv6 address"),
        ("a b:80", "is not a host name"),
        ("[::1]80", "expected [address]:port"),
        ("straße.de:80", "xn--"),
        ("127.1:80", "write that"),
        ("[127.0.0.1]:80", "for IPv6"),
        ("unix:app.sock", "absolute"),
        ("unix:/" + "x" * 120, "107"),
        ("http://127.0.0.1:80", "expected host:port"),
        (True, "off"),
        (9080, "off"),
        ("on", "off"),
    ],
)
def test_a_wrong_listen_address_says_what_is_right(text: object, right: str) -> None:
    with pytest.raises(ValueError, match=right.replace("[", r"\[")):
        parse_listen(text)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("127.0.0.1:1", ["127.0.0.1:1"]),
        ("127.0.0.1:1, [::1]:1", ["127.0.0.1:1", "[::1]:1"]),
        (["127.0.0.1:1", "unix:/run/app.sock"], ["127.0.0.1:1", "unix:/run/app.sock"]),
        (["[::]:1"], ["[::]:1"]),
        *((word, []) for word in ("off", "null", None, False)),
    ],
)
def test_addresses_are_read(value: object, found: list[str]) -> None:
    assert [str(address) for address in parse_listens(value)] == found


@pytest.mark.parametrize(
    ("value", "right"),
    [
        (["127.0.0.1:1", "off"], "port is missing"),
        ("127.0.0.1:1,", "expected host:port"),
        ("127.0.0.1:1,127.0.0.1:1", "is in the list twice"),
        (["127.0.0.1:0", "127.0.0.1:0"], "is in the list twice"),
        ([], "at least one address, or off"),
        ([9080], "a list of addresses"),
        ({"a": 1}, "or off"),
        (True, "or off"),
    ],
)
def test_wrong_addresses_say_what_is_right(value: object, right: str) -> None:
    with pytest.raises(ValueError, match=right):
        parse_listens(value)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("http://127.0.0.1:8080", TargetUrl("http", Address("127.0.0.1", 8080))),
        ("https://Billing.internal/", TargetUrl("https", Address("billing.internal", 443))),
        ("http://[::1]", TargetUrl("http", Address("::1", 80))),
        ("unix:/run/app.sock", TargetUrl("http", Address(unix_path="/run/app.sock"))),
        ("unix:///run/app.sock", TargetUrl("http", Address(unix_path="/run/app.sock"))),
    ],
)
def test_a_target_is_read(text: str, target: TargetUrl) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("127.0.0.1:8080", "expected http://"),
        ("ftp://a", "expected http://"),
        ("http://", "expected http://"),
        ("http://a/path", "no path"),
        ("http://a/?", "no path"),
        ("http://a/#", "no path"),
        ("http://user:secret@a", "no user name"),
        ("http://a:0", "1 to 65535"),
        ("http://a:x", "is not a port"),
        ("http://2130706433", "write that"),
        ("http://[::1", "expected http://"),
        ("http://:80", "expected http://"),
        (5, "expected http://"),
    ],
)
def test_a_wrong_target_says_what_is_right_and_not_the_secret(text: object, right: str) -> None:
    with pytest.raises(ValueError, match=right) as caught:
        parse_target(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("text", "shown"), shown(), ids=str)
def test_a_vector_is_read_as_the_library_reads_it(text: str, shown: str) -> None:
    assert str(parse_pattern(text)) == shown


@pytest.mark.parametrize(("text", "why"), [*refused(), (5, "expected a host")], ids=str)
def test_a_wrong_pattern_is_refused(text: object, why: str) -> None:
    with pytest.raises(ValueError, match=r"expected|is not|wildcard|port|zone|write") as problem:
        parse_pattern(text)
    assert why in str(problem.value)


@given(st.one_of(st.text(), st.integers(), st.none(), st.booleans(), st.floats()))
def test_a_parser_raises_nothing_but_value_error(value: object) -> None:
    for parse in (parse_listen, parse_target, parse_pattern):
        try:
            parse(value)
        except ValueError as error:
            assert str(error)
