"""An address as it is written in settings, log lines and messages."""

from __future__ import annotations

import pytest

from proxy.address import Address


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address("127.0.0.1", 9080), "127.0.0.1:9080"),
        (Address("billing.internal", 0), "billing.internal:0"),
        (Address("::1", 9080), "[::1]:9080"),
        (Address(unix_path="/run/app.sock"), "unix:/run/app.sock"),
    ],
)
def test_an_address_is_shown_as_the_settings_write_it(address: Address, text: str) -> None:
    assert str(address) == text
