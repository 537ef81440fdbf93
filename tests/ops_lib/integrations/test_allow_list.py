"""The allow-list: which hosts match which patterns, and which patterns are refused."""

import pytest

from ops_lib.integrations.allow_list import AllowList


@pytest.mark.parametrize(
    ("pattern", "host", "port", "allowed"),
    [
        ("billing.internal", "billing.internal", 80, True),
        ("billing.internal", "BILLING.internal.", 8443, True),
        ("Billing.Internal.", "billing.internal", 80, True),
        ("billing.internal", "xbilling.internal", 80, False),
        ("billing.internal", "billing.internal.evil.example", 80, False),
        ("billing.internal:8080", "billing.internal", 8080, True),
        ("billing.internal:8080", "billing.internal", 80, False),
        ("billing.internal:8080", "billing.internal", None, False),
        ("*.svc", "a.svc", 80, True),
        ("*.svc", "a.b.svc", 80, True),
        ("*.svc", "svc", 80, False),
        ("*.svc", ".svc", 80, False),
        ("*.svc", "evilsvc", 80, False),
        ("*.svc:8080", "a.svc", 8080, True),
        ("*.svc:8080", "a.svc", 80, False),
        ("*", "anything.example", 1, True),
        ("*:443", "anything.example", 443, True),
        ("*:443", "anything.example", 80, False),
        ("10.0.0.0/8", "10.255.0.1", 80, True),
        ("10.0.0.0/8", "11.0.0.1", 80, False),
        ("10.0.0.0/8:8080", "10.1.1.1", 8080, True),
        ("10.0.0.0/8:8080", "10.1.1.1", 80, False),
        ("10.0.0.0/8", "10.evil.example", 80, False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", 80, True),
        ("127.0.0.1", "127.0.0.1", 80, True),
        ("127.0.0.1:81", "127.0.0.1", 80, False),
        ("fd00::/8", "[fd12::1]", 80, True),
        ("fd00::/8", "fd12::1%eth0", 80, True),
        ("[fd00::]/8:8080", "fd12::1", 8080, True),
        ("[fd00::]/8:8080", "fd12::1", 80, False),
        ("::1", "0:0:0:0:0:0:0:1", 80, True),
        ("[::1]:8080", "::1", 8080, True),
        ("0.0.0.0/0", "fd12::1", 80, False),
        ("bücher.example", "bücher.example", 80, True),
    ],
)
def test_match(pattern: str, host: str, port: int | None, allowed: bool) -> None:
    assert AllowList.parse([pattern]).allows(host, port) is allowed


def test_any_rule_is_enough_and_none_allows_nothing() -> None:
    assert AllowList.parse(["a.example", "b.example"]).allows("b.example", 80)
    assert AllowList.parse("a.example, b.example").allows("b.example", 80)
    assert not AllowList.parse([]).allows("a.example", 80)


REFUSED = """
https://a.example
a.example/path
user@a.example
a.*.example
*a.example
a..example
a b
a.example:0
a.example:65536
a.example:http
10.0.0.1/8
10.0.0.0/33
[::1
[a.example]:80
1::2::3
"""


@pytest.mark.parametrize("pattern", REFUSED.split("\n")[:-1])
def test_refused(pattern: str) -> None:
    """A pattern that cannot be meant is an error which names it, never a rule that matches nothing."""
    with pytest.raises(ValueError, match="is not a") as problem:
        AllowList.parse([pattern])
    assert repr(pattern.strip()) in str(problem.value)
