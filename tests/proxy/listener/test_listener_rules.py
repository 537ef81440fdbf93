"""What holds for every request of a listener, wherever it goes: loops, methods, hosts, and the rules of trust."""

from __future__ import annotations

import pytest
from lab.heads import headed
from lab.pairs import Plane

from proxy.http1.message.heads import sort_fields
from proxy.http1.message.request import read_request
from proxy.plan import Address, Limits
from proxy.semantics.authority import Authority, parse_authority
from proxy.semantics.faults import Fault, Refusal
from proxy.semantics.fields import request_kinds
from proxy.semantics.request import Request

KINDS = request_kinds(lambda _: False, via=True, x_forwarded=True)


def request(line: str = "GET / HTTP/1.1", *lines: str) -> Request:
    fields = sort_fields([one.encode() for one in ("Host: a", *lines)], KINDS, Fault.BAD_REQUEST)
    return read_request(headed(line.encode(), fields), KINDS, parse_authority)


def refused(plane: Plane, asked: Request) -> tuple[Fault, str]:
    with pytest.raises(Refusal) as caught:
        plane.listener.rules.check(asked)
    return caught.value.fault, caught.value.detail


@pytest.fixture
async def plane() -> Plane:
    return Plane(names=("known.internal", "ported.internal:81", "plain.internal:80", "secure.internal:443"))


@pytest.mark.parametrize("entries", [("1.1.1.1",) * 64, ("1.1.1.1, " * 31 + "1.1.1.1",) * 2])
async def test_64_proxies_are_no_loop_and_65_are(plane: Plane, entries: tuple[str, ...]) -> None:
    lines = [f"X-Forwarded-For: {one}" for one in entries]
    plane.listener.rules.check(request("GET / HTTP/1.1", *lines))
    told = refused(plane, request("GET / HTTP/1.1", *lines, "X-Forwarded-For: 2.2.2.2"))
    assert told == (Fault.LOOP, "the request has been through more than 64 proxies already")


async def test_our_own_name_in_via_is_a_loop(plane: Plane) -> None:
    own = plane.listener.rules.pseudonym.decode()
    plane.listener.rules.check(request("GET / HTTP/1.1", "Via: 1.1 other", "Via: 1.0 another"))
    told = refused(plane, request("GET / HTTP/1.1", "Via: 1.1 other", f"Via: 1.0 x, 1.1 {own} (comment)"))
    assert told == (Fault.LOOP, "the request loops: its Via shows that it was here before")


async def test_methods(plane: Plane) -> None:
    assert refused(plane, request("TRACE / HTTP/1.1")) == (Fault.METHOD_NOT_ALLOWED, "TRACE is not served here")
    for method in ("GET", "POST", "OPTIONS", "M-SEARCH", "trace"):
        plane.listener.rules.check(request(f"{method} / HTTP/1.1"))
    plane.listener.rules.check(request("OPTIONS / HTTP/1.1", "Max-Forwards: 0"))


@pytest.mark.parametrize(
    ("target", "upstream"),
    [
        ("http://known.internal/", "other"), ("http://known.internal:9/", "other"), ("http://KNOWN.internal/", "other"),
        ("http://ported.internal/", "app"), ("http://ported.internal:81/", "other"),
        ("http://plain.internal/", "other"), ("https://plain.internal/", "app"),
        ("http://secure.internal/", "app"), ("https://secure.internal/", "other"),
        ("http://nobody.internal/", "app"),
    ],
)  # fmt: skip
async def test_a_host_without_a_port_has_that_of_its_scheme(plane: Plane, target: str, upstream: str) -> None:
    asked = request(f"GET {target} HTTP/1.1")
    assert plane.listener.rules.route(asked).upstream == upstream
    assert plane.listener.rules.route_redirected(asked, Address("9.9.9.9", 9)).upstream == upstream


async def test_a_request_without_a_host_goes_where_it_was_meant_to_or_nowhere(plane: Plane) -> None:
    asked = read_request(headed(b"GET / HTTP/1.0", sort_fields([], KINDS, Fault.BAD_REQUEST)), KINDS, parse_authority)
    with pytest.raises(Refusal) as caught:
        plane.listener.rules.route(asked)
    assert (caught.value.fault, caught.value.detail) == (
        Fault.BAD_HOST, "the request names no host to send it to",
    )  # fmt: skip
    meant = plane.listener.rules.route_redirected
    assert meant(asked, Address("ported.internal", 81)).upstream == "other"
    assert meant(asked, Address("ported.internal", 80)).upstream == "app"


async def test_an_authority_is_parsed_and_remembered(plane: Plane) -> None:
    parse = plane.listener.rules.parse_authority
    assert parse(b"A:81") == parse(b"A:81") == Authority("a", 81)
    assert parse(b"a b") is None
    assert parse(b"a" * 260) == Authority("a" * 260, 0)
    assert parse(b"a" * 261) is None
    assert parse(b"A:81") == Authority("a", 81)


@pytest.mark.parametrize(
    ("method", "steps", "is_refused"),
    [("TRACE", "0", True), ("TRACE", "1", False), ("OPTIONS", "0", False), ("TRACE", None, False)],
)
async def test_a_trace_that_ends_here_is_not_answered(method: str, steps: str | None, is_refused: bool) -> None:
    """RFC 9110, 9.3.8 and 7.6.2."""
    rules = Plane(rest={"limits": Limits(refused_methods=())}).listener.rules
    asked = request(f"{method} / HTTP/1.1", *([f"Max-Forwards: {steps}"] if steps is not None else []))
    if is_refused:
        with pytest.raises(Refusal) as caught:
            rules.check(asked)
        assert (caught.value.fault, caught.value.detail) == (
            Fault.METHOD_NOT_ALLOWED,
            "TRACE ends here, and the sidecar does not answer it",
        )
    else:
        rules.check(asked)


@pytest.mark.parametrize(("direction", "port"), [("inbound", 9000), ("outbound", 8080)])
async def test_an_app_is_at_the_port_that_a_redirected_caller_meant(direction: str, port: int) -> None:
    rules = Plane(rest={"direction": direction}).listener.rules
    assert rules.only is not None
    pool = rules.only.pool_at(request(), Address("10.0.0.1", 9000))
    assert f":{port}" in repr(pool)
