"""What may be reached: by names, by addresses in any form, and by both together."""

from __future__ import annotations

import pytest

from ops_lib.hosts import parse_pattern
from proxy.destinations import Destinations


def destinations(deny: str = "", allow: str = "") -> Destinations:
    return Destinations(*(tuple(map(parse_pattern, text.split())) for text in (deny, allow)))


@pytest.mark.parametrize(
    "ip",
    [
        "169.254.169.254",
        "169.254.0.1",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "64:ff9b::169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
    ],
)
def test_denied_by_default(ip: str) -> None:
    """By whatever name it is reached, also where all names, or this one, are allowed."""
    for allow in ("", "*", "metadata.internal"):
        assert destinations(allow=allow).barrier("metadata.internal", ip, 80) is not None
    assert destinations(allow=ip.partition("%")[0]).barrier(ip, ip, 80) is None or ip.startswith("64:")


@pytest.mark.parametrize(
    "ip", ["10.0.0.1", "127.0.0.1", "::1", "fd00::1", "169.253.1.1", "64:ff9b::10.0.0.1", "0.0.0.0"]
)
def test_open_by_default(ip: str) -> None:
    assert destinations().barrier("billing.internal", ip, 80) is None


@pytest.mark.parametrize(
    ("deny", "allow", "host", "ip", "barrier"),
    [
        ("10.0.0.0/8", "", "a.internal", "10.1.2.3", "10.0.0.0/8"),
        ("10.0.0.0/8", "10.1.0.0/16", "a.internal", "10.1.2.3", None),
        ("10.0.0.0/8", "10.1.0.0/16", "a.internal", "10.2.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.0.0.0/8", "a.internal", "10.1.2.3", "10.1.2.3"),
        ("10.1.2.3:443", "", "a.internal", "10.1.2.3", None),
        ("10.1.2.3:80", "", "a.internal", "10.1.2.3", "10.1.2.3:80"),
        ("10.1.2.3:80", "10.1.2.3:80", "a.internal", "10.1.2.3", None),
        ("", "169.254.169.254:80", "a.internal", "169.254.169.254", None),
        ("", "169.254.169.254:81", "a.internal", "169.254.169.254", "169.254.0.0/16"),
        ("*.internal", "", "a.internal", "10.1.2.3", "*.internal"),
        ("*.internal", "a.internal", "a.internal", "10.1.2.3", None),
        ("*.internal", "10.0.0.0/8", "a.internal", "10.1.2.3", "*.internal"),
        ("10.0.0.0/8", "a.internal", "a.internal", "10.1.2.3", "10.0.0.0/8"),
        ("*", "", "a.internal", "10.1.2.3", "*"),
        ("*", "a.internal", "a.internal", "10.1.2.3", None),
        ("*", "a.internal", "b.internal", "10.1.2.3", "*"),
        ("*", "10.0.0.0/8", "a.internal", "10.1.2.3", None),
        ("*", "10.0.0.0/8", "10.1.2.3", "10.1.2.3", None),
        ("*:80", "", "a.internal", "10.1.2.3", "*:80"),
        ("*:443", "", "a.internal", "10.1.2.3", None),
        ("*", "*", "a.internal", "10.1.2.3", None),
        ("127.0.0.0/8", "", "0.0.0.0", "0.0.0.0", "127.0.0.0/8"),
        ("::1", "", "::", "::", "::1"),
        ("127.0.0.1", "", "::ffff:127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "", "2130706433", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_rules(deny: str, allow: str, host: str, ip: str, barrier: str | None) -> None:
    """The most specific counts, for host and address; both must pass; `*` is for what nothing else names."""
    found = destinations(deny, allow).barrier(host, ip, 80)
    assert (str(found) if found is not None else None) == barrier


@pytest.mark.parametrize(
    ("deny", "allow", "host", "barrier"),
    [
        ("", "", "169.254.169.254", "169.254.0.0/16"),
        ("", "169.254.169.254", "169.254.169.254", None),
        ("", "", "billing.internal", None),
        ("*.internal", "", "billing.internal", "*.internal"),
        ("*", "", "billing.internal", None),
        ("*", "", "10.0.0.1", "*"),
        ("10.0.0.0/8", "", "billing.internal", None),
    ],
)
def test_what_is_known_without_a_look_up(deny: str, allow: str, host: str, barrier: str | None) -> None:
    found = destinations(deny, allow).bars(host, 80)
    assert (str(found) if found is not None else None) == barrier


def test_a_port_of_its_own() -> None:
    """Whether an address is opened by name and port, not just among others."""
    assert destinations(allow="127.0.0.1:9082").opens("127.0.0.1", 9082)
    for allow in ("127.0.0.1", "127.0.0.0/8", "127.0.0.1:9083", "*", "*:9082"):
        assert not destinations(allow=allow).opens("127.0.0.1", 9082)
    assert not destinations(deny="127.0.0.1:9082").opens("127.0.0.1", 9082)


def test_equal_where_the_settings_are() -> None:
    """They are part of what a pool is found by: only a reload that changes them makes new pools."""
    assert destinations("10.0.0.0/8", "a.b") == destinations("10.0.0.0/8", "a.b")
    assert hash(destinations("10.0.0.0/8")) == hash(destinations("10.0.0.0/8"))
    assert destinations("10.0.0.0/8") != destinations("", "10.0.0.0/8")
    assert destinations() != None  # noqa: E711 - its own comparison is asked
