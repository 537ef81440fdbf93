"""Addresses in every spelling that a resolver takes for one."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_lib.hosts import read_address, unmapped


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.0x1", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("4294967295", "255.255.255.255"),
        ("1.16777215", "1.255.255.255"),
        ("1.2.65535", "1.2.255.255"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:a00:1", "10.0.0.1"),
        ("0:0::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_is_read_in_any_spelling(text: str, address: str) -> None:
    assert read_address(text) == ipaddress.ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "1.2.3.4.5",
        "256.0.0.1",
        "1.2.3.256",
        "1.16777216",
        "1.2.65536",
        "4294967296",
        "08.0.0.1",
        "0x",
        "0xg",
        "1..2",
        ".1",
        "1.",
        "-1",
        "+1",
        "1_0",
        "٣",
        "::g",
        "1" * 65,
        "0" * 60 + "127.1",
    ],
)
def test_a_name_is_not_an_address(text: str) -> None:
    assert read_address(text) is None


@given(st.text("0123456789abcdefxX.", max_size=14))
def test_ipv4_is_read_as_the_resolver_reads_it(text: str) -> None:
    """inet_aton is what getaddrinfo asks; it stops at a blank, which no host has."""
    try:
        expected = ipaddress.ip_address(socket.inet_aton(text))
    except OSError:
        expected = None
    assert read_address(text) == expected


@given(st.ip_addresses())
def test_unmapping_changes_mapped_addresses_only(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert unmapped(address) == (mapped or address)
    if isinstance(address, ipaddress.IPv4Address):
        assert unmapped(ipaddress.IPv6Address(f"::ffff:{address}")) == address
