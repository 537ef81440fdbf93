"""Host names: what a setting may say, and the one form in which hosts are compared."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.hosts import parse_host, read_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Billing.Internal.", "billing.internal"),
        ("a_b", "a_b"),
        ("a" * 63, "a" * 63),
        (".".join(["a" * 63] * 3 + ["a" * 61]), ".".join(["a" * 63] * 3 + ["a" * 61])),
        ("bücher.example", "xn--bcher-kva.example"),
        ("0:0::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_host_is_read(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("a" * 64, "is not a host name"),
        (".".join(["a" * 63] * 3 + ["a" * 62]), "is not a host name"),
        ("", "is not a host name"),
        ("a-.b", "is not a host name"),
        ("127.1", "would be taken for 127.0.0.1"),
        ("1.2.3", "would be taken for 1.2.0.3"),
        ("0.", "0.0.0.0"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.0.0.256", "is not an IPv4 address"),
        ("1:2", "is not an IPv6 address"),
        ("straße.example", "ASCII form"),
        ("ü" * 64, "ASCII form"),
    ],
)
def test_a_wrong_host_says_what_is_right(text: str, right: str) -> None:
    with pytest.raises(ValueError, match=right):
        parse_host(text)


@pytest.mark.parametrize(
    ("text", "host", "address"),
    [
        ("A.Svc.", "a.svc", None),
        ("[FD00::1]", "fd00::1", "fd00::1"),
        ("fd00::1%eth0", "fd00::1", "fd00::1"),
        ("0x7f.1", "127.0.0.1", "127.0.0.1"),
        ("10.internal1", "10.internal1", None),
        ("a.1st", "a.1st", None),
        ("bücher.2example", "xn--bcher-kva.2example", None),
        ("straße.example", "straße.example", None),
        ("", "", None),
        (".", "", None),
    ],
)
def test_a_host_of_a_request_has_one_form(text: str, host: str, address: str | None) -> None:
    assert read_host(text) == (host, ipaddress.ip_address(address) if address is not None else None)


@pytest.mark.slow
@given(st.text(max_size=300))
def test_no_host_of_a_request_is_an_error(text: str) -> None:
    host, address = read_host(text)
    assert read_host(host) == (host, address) or "." in text[-1:] or "[" in text or "]" in text


@given(st.text(max_size=80))
def test_what_a_setting_may_say_is_compared_as_it_is_kept(text: str) -> None:
    try:
        host = parse_host(text)
    except ValueError:
        return
    assert read_host(text)[0] == host.partition("%")[0]
