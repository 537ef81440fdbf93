"""What one client address may have open: only counts; on the wire it is in tests/wire/test_client_bounds.py."""

from __future__ import annotations

import pytest

from proxy.listener.client_bounds import ClientBounds
from proxy.plan import Clients
from proxy.semantics.faults import Fault, Refusal

A, B = b"10.0.0.1", b"10.0.0.2"


def test_nothing_is_remembered_of_who_has_nothing_open() -> None:
    bounds = ClientBounds(Clients(max_connections=5, max_exchanges=5))
    for client in (A, A, B):
        bounds.connected(client)
        bounds.began(client)
    assert len(bounds) == 2
    for client in (A, A, B):
        bounds.ended(client)
        bounds.disconnected(client)
    assert len(bounds) == 0
    bounds.ended(A)  # of what was open before the bounds were set
    assert len(bounds) == 0


def test_each_address_has_its_own_bound() -> None:
    bounds = ClientBounds(Clients(max_connections=2, max_exchanges=2))
    bounds.connected(A)
    assert bounds.has_room(A)
    bounds.connected(A, exchanges=2)
    assert not bounds.has_room(A)
    with pytest.raises(Refusal) as refused:
        bounds.check(A)
    assert refused.value.fault is Fault.CLIENT_LIMIT
    assert bounds.has_room(B)
    bounds.check(B)


@pytest.mark.parametrize("client", [b"", b"192.0.2.7", b"2001:db8::7", b"::ffff:192.0.2.7", b"fe80::1%eth0"])
def test_proxies_and_unix_sockets_have_none(client: bytes) -> None:
    bounds = ClientBounds(
        Clients(max_connections=1, max_exchanges=1, proxies=("192.0.2.0/24", "2001:db8::/32", "fe80::/10"))
    )
    bounds.connected(client, exchanges=1)
    assert bounds.has_room(client)
    bounds.check(client)


def test_what_ends_leaves_the_rest_counted() -> None:
    bounds = ClientBounds(Clients(max_connections=1, max_exchanges=1))
    for _ in range(3):
        bounds.connected(A, exchanges=1)
    for left in (2, 1):
        bounds.disconnected(A)
        bounds.ended(A)
        assert not bounds.has_room(A), left
        with pytest.raises(Refusal):
            bounds.check(A)
    bounds.disconnected(A)
    bounds.ended(A)
    assert bounds.has_room(A)
    bounds.check(A)
