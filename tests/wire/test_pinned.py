"""NTLM and Negotiate log in a connection, not a request: nobody else may ever use it."""

from __future__ import annotations

import pytest
from lab.wire import Wire

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHALLENGES = [b"NTLM", b"Negotiate", b"ntlm TlRMTVNTUAAC", b'Basic realm="x", NTLM']


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_a_handshake_stays_on_its_connection_and_nobody_else_gets_it(challenge: bytes, wire: Wire) -> None:
    alice = wire.client()
    alice.send(GET + b"\r\n")
    first = wire.accept()
    first.request()
    first.reply(b"", b"401 Unauthorized", b"WWW-Authenticate: " + challenge)
    assert alice.response().head.value("www-authenticate") == challenge
    for step in (b"TlRMTVNTUAAB", b"TlRMTVNTUAAD"):
        alice.send(GET + b"Authorization: NTLM " + step + b"\r\n\r\n")
        assert first.request().head.value("authorization") == b"NTLM " + step
        first.reply(b"hello alice")
        assert alice.response().body == b"hello alice"
    bob = wire.client()
    bob.send(GET + b"\r\n")
    second = wire.accept()  # a connection of his own
    second.answer(b"hello bob")
    assert bob.response().body == b"hello bob"
    alice.send(GET + b"\r\n")  # logged in, without saying so again
    first.answer(b"still alice")
    assert alice.response().body == b"still alice"
    alice.close()
    assert first.is_ended()
    bob.send(GET + b"\r\n")
    second.answer()
    assert bob.response().status == 200


def test_credentials_alone_pin_as_well(wire: Wire) -> None:
    """Where the first request already has them, as browsers of a domain send it."""
    alice = wire.client()
    alice.send(GET + b"Authorization: Negotiate YIIJvwYGKwYBBQUC\r\n\r\n")
    first = wire.accept()
    first.answer()
    assert alice.response().status == 200
    bob = wire.client()
    bob.send(GET + b"\r\n")
    wire.accept().answer()
    assert bob.response().status == 200


@pytest.mark.parametrize("scheme", [b"Basic YTpi", b"Bearer negotiate", b"NTLMv2x abc", b"Digest ntlm=1"])
def test_other_schemes_share_connections(scheme: bytes, wire: Wire) -> None:
    alice, bob = wire.client(), wire.client()
    alice.send(GET + b"Authorization: " + scheme + b"\r\n\r\n")
    app = wire.accept()
    assert app.request().head.value("authorization") == scheme
    app.reply()
    assert alice.response().status == 200
    bob.send(GET + b"\r\n")
    app.answer()
    assert bob.response().status == 200


def test_a_connection_that_the_app_has_closed_is_not_used_again(wire: Wire) -> None:
    alice = wire.client()
    alice.send(GET + b"Authorization: NTLM TlRMTVNTUAAD\r\n\r\n")
    first = wire.accept()
    first.answer()
    assert alice.response().status == 200
    first.close()
    wire.settle()
    alice.send(GET + b"\r\n")
    wire.accept().answer(b"again")
    assert alice.response().body == b"again"


def test_a_client_that_logs_in_after_other_credentials(wire: Wire) -> None:
    """A line like one that was seen before is not taken for it."""
    alice = wire.client()
    alice.send(GET + b"Authorization: Basic YTpi\r\n\r\n" + GET + b"Authorization: Basic YTpj\r\n\r\n")
    first = wire.accept()
    for credentials in (b"Basic YTpi", b"Basic YTpj"):
        assert first.request().head.value("authorization") == credentials
        first.reply()
        assert alice.response().status == 200
    for _ in range(2):
        alice.send(GET + b"Authorization: NTLM TlRMTVNTUAAD\r\n\r\n")
        first.answer()
        assert alice.response().status == 200
    bob = wire.client()
    bob.send(GET + b"\r\n")
    wire.accept().answer()
    assert bob.response().status == 200
