"""Names of fields and methods that have a meaning, each tried by itself: lists copied by hand from the RFCs."""

from __future__ import annotations

import pytest

from proxy.semantics import fields
from proxy.semantics.fields import allowed_in_trailers, announced, binds_connection, request_kinds, response_kinds
from proxy.semantics.request import IDEMPOTENT, METHODS

# RFC 9110, 6.5.1
NO_TRAILERS = [
    "age",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "range",
    "retry-after",
    "set-cookie",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
]
FRAMING = {
    "connection": fields.CONNECTION, "content-length": fields.CONTENT_LENGTH,
    "transfer-encoding": fields.TRANSFER_ENCODING, "te": fields.TE, "trailer": fields.TRAILER,
    "upgrade": fields.UPGRADE,
}  # fmt: skip
FORWARDED = {
    "x-forwarded-for": fields.FORWARDED_FOR, "x-forwarded-host": fields.FORWARDED_HOST,
    "x-forwarded-proto": fields.FORWARDED_PROTO,
}  # fmt: skip
OF_REQUESTS = {
    **FRAMING, "host": fields.HOST, "expect": fields.EXPECT, "max-forwards": fields.MAX_FORWARDS,
    "authorization": fields.AUTHORIZATION, "via": fields.VIA, **FORWARDED,
    "keep-alive": fields.DROP, "proxy-connection": fields.DROP, "http2-settings": fields.DROP,
    "proxy-authorization": fields.DROP,
}  # fmt: skip
OF_RESPONSES = {
    **FRAMING, "keep-alive": fields.KEEP_ALIVE, "www-authenticate": fields.AUTHENTICATE,
    "proxy-connection": fields.DROP, "http2-settings": fields.DROP, "proxy-authenticate": fields.DROP,
    "proxy-authentication-info": fields.DROP,
}  # fmt: skip
REQUESTS = request_kinds(lambda name: name.lower() == b"b3", via=True, x_forwarded=True)
BARE = request_kinds(lambda name: False, via=False, x_forwarded=False)
RESPONSES = response_kinds()


@pytest.mark.parametrize("name", NO_TRAILERS)
def test_each_field_that_is_dropped_from_trailers(name: str) -> None:
    for spelled in (name, name.title(), name.upper()):
        assert not allowed_in_trailers(spelled.encode() + b": x")
        assert announced(spelled.encode(), RESPONSES) == b""
    assert allowed_in_trailers(name.encode() + b"x: x")


@pytest.mark.parametrize("name", ["grpc-status", "server-timing", "etag", "x-checksum", "digest", "accept"])
def test_others_pass(name: str) -> None:
    assert allowed_in_trailers(name.encode() + b": x")
    assert announced(b" , " + name.title().encode() + b"\t,Age", RESPONSES) == name.title().encode()


@pytest.mark.parametrize("name", OF_REQUESTS)
def test_each_field_of_a_request(name: str) -> None:
    for spelled in (name, name.title(), name.upper()):
        assert REQUESTS.classify(spelled.encode()) == OF_REQUESTS[name]
        assert REQUESTS.known[spelled.encode()] == OF_REQUESTS[name]
    plain = name == "via" or name in FORWARDED
    assert BARE.kind_of(name.encode()) == (fields.PLAIN if plain else OF_REQUESTS[name])


@pytest.mark.parametrize("name", OF_RESPONSES)
def test_each_field_of_a_response(name: str) -> None:
    assert RESPONSES.classify(name.title().encode()) == OF_RESPONSES[name]


@pytest.mark.parametrize("name", [*OF_REQUESTS, "forwarded", "x-real-ip"])
def test_each_field_that_a_cgi_server_could_mistake_has_no_twin(name: str) -> None:
    if name == "authorization" or "-" not in name:
        return
    twin = name.replace("-", "_").title().encode()
    assert REQUESTS.kind_of(twin) == BARE.kind_of(twin) == fields.DROP
    assert RESPONSES.kind_of(twin) == fields.PLAIN


def test_a_name_without_an_underscore_is_no_twin() -> None:
    assert REQUESTS.kind_of(b"x_y") == fields.PLAIN
    assert REQUESTS.kind_of(b"X-Real-IP") == fields.PLAIN
    assert REQUESTS.kind_of(b"x_real-ip") == fields.DROP
    assert REQUESTS.kind_of(b"B3") == fields.TRACE


def test_kinds_are_all_different() -> None:
    names = [name for name in vars(fields) if name.isupper() and isinstance(getattr(fields, name), int)]
    kinds = [getattr(fields, name) for name in names if not name.startswith(("_", "MAX_TRAILERS"))]
    assert sorted(kinds) == list(range(19))


def test_1024_names_of_64_bytes_are_remembered() -> None:
    kinds = response_kinds()
    kinds.classify(b"x" * 65)
    assert kinds.known == {}
    kinds.classify(b"x" * 64)
    assert len(kinds.known) == 1
    for number in range(1023):
        kinds.classify(b"x-%d" % number)
    assert len(kinds.known) == 1024
    kinds.classify(b"one-more")
    assert kinds.known == {b"one-more": fields.PLAIN}


def test_128_trailers_are_announced() -> None:
    assert announced(b"a," * 127 + b"a", RESPONSES) == b", ".join([b"a"] * 128)
    assert announced(b"a," * 128 + b"a", RESPONSES) == b""


@pytest.mark.parametrize(
    "value", [b"NTLM", b"ntlm x", b"Negotiate", b"Basic, NTLM", b"Basic,\tnegotiate\tx", b"ntlm,x"]
)
def test_schemes_of_a_connection(value: bytes) -> None:
    assert binds_connection(value)


@pytest.mark.parametrize("value", [b"", b"Basic", b"NTLMv2", b"xNTLM", b'Basic realm="ntlm"', b"Bearer negotiate"])
def test_other_schemes(value: bytes) -> None:
    assert not binds_connection(value)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE", b"QUERY"])
def test_each_method_that_may_be_sent_twice(method: bytes) -> None:
    """RFC 9110, 9.2.2, and QUERY."""
    assert method in IDEMPOTENT


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"CONNECT", b"get", b"LOCK", b""])
def test_methods_that_may_not(method: bytes) -> None:
    assert method not in IDEMPOTENT


def test_methods_that_telemetry_names() -> None:
    """RFC 9110, 9.1 and RFC 5789."""
    assert set(b"CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE".split()) == METHODS
