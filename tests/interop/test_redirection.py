"""Way 5: connections that rules of the kernel redirect, with real rules, in network namespaces.

`pod` has the sidecar and its app, `world` everybody else. The sidecar is root here, the app is another user.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator

import pytest
from lab.namespaces import POD, WORLD, Namespaces
from lab.peers import Client, UpstreamConnection
from lab.process import SidecarProcess

from proxy.kubernetes.redirection import EXEMPT, parse_redirection, rules

APP_UID = 1234
DEFAULTS = (
    "inbound.listen=0.0.0.0:9080,[::]:9080",
    "inbound.transparent=true",
    "inbound.propagation.inject=tracecontext,b3multi",
    "outbound.listen=127.0.0.1:9081,[::1]:9081",
    "outbound.transparent=true",
)
FAMILIES = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["v4", "v6"])
B3 = b"b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1\r\n"
TRACEPARENT = b"00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01"
TLS_HELLO = bytes.fromhex("160301000501000001") + b"..."


@pytest.fixture(scope="module")
def spaces() -> Iterator[Namespaces]:
    made = Namespaces()
    yield made
    made.close()


@pytest.fixture(scope="module")
def serve(spaces: Namespaces) -> Iterator[Callable[..., SidecarProcess]]:
    """`serve(*settings)`: rules are set, and a sidecar runs in the pod. It goes on running until another is wanted."""
    running: list[tuple[tuple[str, ...], SidecarProcess]] = []

    def start(*settings: str, uid: int = 0, exempt: tuple[str, ...] = EXEMPT) -> SidecarProcess:
        wanted = rules(
            parse_redirection("8080,8081:9080"), parse_redirection("80,8000,443:9081"), uid=uid, exempt=exempt
        )
        spaces.run(spaces.pod, "nft", "--file", "-", text=wanted)
        if running and running[-1][0] == settings:
            return running[-1][1]
        for _, one in running:
            one.kill()
        flags = [*DEFAULTS, *settings]
        sidecar = SidecarProcess(
            *(part for flag in flags for part in ("--set", flag)), prefix=spaces.prefix(spaces.pod)
        )
        running[:] = [(settings, sidecar)]
        return sidecar

    yield start
    for _, one in running:
        one.kill()


@pytest.fixture
def listen(spaces: Namespaces) -> Iterator[Callable[..., socket.socket]]:
    opened: list[socket.socket] = []

    def make(name: str, host: str, port: int) -> socket.socket:
        opened.append(spaces.listen(name, host, port))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def call(spaces: Namespaces) -> Iterator[Callable[..., Client]]:
    """`call(host, port)`: the app calls."""
    opened: list[Client] = []

    def make(host: str, port: int, name: str = "", uid: int = APP_UID) -> Client:
        opened.append(Client(spaces.connect(name or spaces.pod, host, port, uid)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def accept(listening: socket.socket) -> UpstreamConnection:
    return UpstreamConnection(listening.accept()[0])


Serve, Listen, Call = Callable[..., SidecarProcess], Callable[..., socket.socket], Callable[..., Client]


@FAMILIES
def test_a_call_goes_where_it_was_meant_to_and_is_translated(
    spaces: Namespaces, serve: Serve, listen: Listen, call: Call, family: socket.AddressFamily
) -> None:
    """Its Host is anybody's: the address counts. It comes to the other side from the pod, with our Via."""
    there = listen(spaces.world, WORLD[family], 8000)
    serve()
    client = call(WORLD[family], 8000)
    client.send(b"GET /x HTTP/1.1\r\nHost: nobody.example\r\n" + B3 + b"\r\n")
    with accept(there) as upstream:
        seen = upstream.answer(b"hello")
        assert upstream.sock.getpeername()[0] == POD[family]
    assert (seen.target, seen.head.value("host")) == (b"/x", b"nobody.example")
    assert seen.head.value("traceparent") == TRACEPARENT
    assert b"ops-sidecar" in (seen.head.value("via") or b"")
    assert client.response().body == b"hello"


@FAMILIES
def test_the_sidecars_own_connections_are_left_alone(
    spaces: Namespaces, serve: Serve, listen: Listen, call: Call, family: socket.AddressFamily
) -> None:
    there = listen(spaces.world, WORLD[family], 80)
    serve()
    call(WORLD[family], 80, uid=0).send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with accept(there) as upstream:
        assert upstream.answer().head.value("via") is None


@FAMILIES
def test_a_loop_is_refused(spaces: Namespaces, serve: Serve, call: Call, family: socket.AddressFamily) -> None:
    """Rules that name another user bring the sidecar's own connection back to it."""
    serve(uid=4321)
    answer = call(WORLD[family], 80).ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.status == 508


def test_an_upstream_that_has_a_target_is_that_target(
    spaces: Namespaces, serve: Serve, listen: Listen, call: Call
) -> None:
    host = WORLD[socket.AF_INET]
    billing = listen(spaces.world, host, 5000)
    serve(f"upstreams=[{{name: billing, match: [billing.internal], target: 'http://{host}:5000'}}]")
    client = call(host, 80)  # where nobody listens
    client.send(b"GET / HTTP/1.1\r\nHost: billing.internal\r\n\r\n")
    with accept(billing) as upstream:
        assert upstream.answer().head.value("host") == b"billing.internal"
    assert client.response().status == 200


def test_a_request_without_host_has_an_address_all_the_same(
    spaces: Namespaces, serve: Serve, listen: Listen, call: Call
) -> None:
    host = WORLD[socket.AF_INET]
    there = listen(spaces.world, host, 80)
    serve()
    client = call(host, 80)
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    with accept(there) as upstream:
        upstream.answer(b"hello")
    assert client.response().body == b"hello"


@FAMILIES
def test_what_is_not_http_passes_through_a_tunnel(
    spaces: Namespaces, serve: Serve, listen: Listen, call: Call, family: socket.AddressFamily
) -> None:
    there = listen(spaces.world, WORLD[family], 443)
    serve()
    client = call(WORLD[family], 443)
    client.send(TLS_HELLO)
    with accept(there) as upstream:
        assert upstream.exactly(len(TLS_HELLO)) == TLS_HELLO
        upstream.send(b"\x16\x03\x03 and back")
        assert client.exactly(12) == b"\x16\x03\x03 and back"
    assert client.is_ended()


def test_a_tunnel_that_cannot_be_made_ends_without_a_word(spaces: Namespaces, serve: Serve, call: Call) -> None:
    """A client that speaks TLS would not understand an answer."""
    serve(f"outbound.deny={WORLD[socket.AF_INET]}")
    client = call(WORLD[socket.AF_INET], 443)
    client.send(TLS_HELLO)
    assert client.to_end() == b""


@pytest.mark.parametrize("denied", [WORLD[socket.AF_INET], "*.example", "10.0.0.0/8", "*"])
def test_what_is_denied_by_address_or_by_name_stays_denied(
    spaces: Namespaces, serve: Serve, listen: Listen, call: Call, denied: str
) -> None:
    host = WORLD[socket.AF_INET]
    listen(spaces.world, host, 80)
    serve(f"outbound.deny={denied}")
    answer = call(host, 80).ask(
        b"GET / HTTP/1.1\r\nHost: " + (b"x.example" if "ex" in denied else b"10.77.0.2") + b"\r\n\r\n"
    )
    assert answer.status == 403
    assert b"destination_ip_prohibited" in (answer.head.value("proxy-status") or b"")


def test_a_name_that_alone_is_allowed_is_looked_up_and_not_believed(
    spaces: Namespaces, serve: Serve, listen: Listen, call: Call
) -> None:
    """Anybody may write a Host: it must not open the address that it happens to be sent to."""
    host = WORLD[socket.AF_INET]
    elsewhere = listen(spaces.world, host, 80)
    named = listen(spaces.pod, "127.0.0.1", 7000)
    serve("outbound.deny=*", "outbound.allow=localhost")
    client = call(host, 80)
    client.send(b"GET / HTTP/1.1\r\nHost: localhost:7000\r\n\r\n")
    with accept(named) as upstream:
        upstream.answer(b"of the name")
    assert client.response().body == b"of the name"
    elsewhere.setblocking(False)
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


def test_link_local_addresses_are_denied_even_if_rules_redirect_them(
    serve: Serve, spaces: Namespaces, call: Call
) -> None:
    """By default the rules leave them alone: clouds give credentials there."""
    serve(exempt=())
    spaces.run(spaces.pod, "ip", "route", "add", "169.254.169.254/32", "dev", "eth0")
    try:
        answer = call("169.254.169.254", 80).ask(b"GET / HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n")
    finally:
        spaces.run(spaces.pod, "ip", "route", "delete", "169.254.169.254/32")
    assert answer.status == 403


@FAMILIES
@pytest.mark.parametrize("port", [8080, 8081])
def test_a_caller_of_the_app_comes_to_the_sidecar_and_to_the_port_that_it_meant(
    spaces: Namespaces, serve: Serve, listen: Listen, call: Call, family: socket.AddressFamily, port: int
) -> None:
    app = listen(spaces.pod, "127.0.0.1", port)
    serve()
    client = call(POD[family], port, spaces.world)
    client.send(b"GET / HTTP/1.1\r\nHost: app\r\ntraceparent: " + TRACEPARENT + b"\r\n\r\n")
    with accept(app) as upstream:
        seen = upstream.answer(b"hello")
    assert seen.head.value("x-b3-traceid") == TRACEPARENT.split(b"-")[1]
    assert seen.head.value("x-forwarded-for") == WORLD[family].encode()
    assert client.response().body == b"hello"


def test_a_call_may_be_on_behalf_of_what_is_not_http(
    spaces: Namespaces, serve: Serve, listen: Listen, call: Call
) -> None:
    """TLS may have any request in it, so beside it none is "the only one"."""
    family = socket.AF_INET
    app, there = listen(spaces.pod, "127.0.0.1", 8080), listen(spaces.world, WORLD[family], 80)
    serve()
    secret = call(POD[family], 8080, spaces.world)
    secret.send(TLS_HELLO)
    client = call(POD[family], 8080, spaces.world)

    def joined() -> bytes | None:
        caller = call(WORLD[family], 80)
        caller.send(b"GET / HTTP/1.1\r\nHost: there\r\n\r\n")
        with accept(there) as away:
            seen = away.answer()
        assert caller.response().status == 200
        return seen.head.value("traceparent")

    with accept(app) as tunnel:
        assert tunnel.exactly(len(TLS_HELLO)) == TLS_HELLO
        client.send(b"GET / HTTP/1.1\r\nHost: app\r\ntraceparent: " + TRACEPARENT + b"\r\n\r\n")
        upstream = accept(app)
        upstream.request()
        assert joined() is None
    secret.close()
    with upstream:
        assert TRACEPARENT in (joined() for _ in range(100))  # once the sidecar has heard of the tunnel's end
        upstream.reply(b"hello")
        assert client.response().body == b"hello"


def test_ipv6_stays_as_it_is_where_the_rules_are_for_ipv4_alone(
    spaces: Namespaces, serve: Serve, listen: Listen, call: Call
) -> None:
    there = {family: listen(spaces.world, WORLD[family], 80) for family in WORLD}
    serve()
    text = rules(None, parse_redirection("80:9081"), uid=0, ipv4_only=True)
    spaces.run(spaces.pod, "nft", "--file", "-", text=text)
    vias = []
    for family, listening in there.items():
        call(WORLD[family], 80).send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with accept(listening) as upstream:
            vias.append(upstream.answer().head.value("via") is not None)
    assert vias == [True, False]


def test_who_is_not_redirected_is_served_as_ever(spaces: Namespaces, serve: Serve, listen: Listen, call: Call) -> None:
    """HTTP_PROXY on the same listener; a caller at the sidecar's own port."""
    host = WORLD[socket.AF_INET]
    there = listen(spaces.world, host, 7070)
    app = listen(spaces.pod, "127.0.0.1", 8080)
    serve()
    proxied = call("127.0.0.1", 9081)
    proxied.send(b"GET http://%s:7070/ HTTP/1.1\r\nHost: a\r\n\r\n" % host.encode())
    with accept(there) as upstream:
        upstream.answer(b"by proxy")
    assert proxied.response().body == b"by proxy"
    direct = call(POD[socket.AF_INET], 9080, spaces.world)
    direct.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with accept(app) as upstream:
        upstream.answer(b"direct")
    assert direct.response().body == b"direct"


def test_the_command_sets_the_rules_twice_and_takes_them_away(spaces: Namespaces) -> None:
    command = (sys.executable, "-P", "-m", "proxy", "redirect")
    for _ in range(2):
        spaces.run(spaces.pod, *command, "--outbound", "80:9081", "--uid", "65532", "--exempt", "10.96.0.10,fd00::/8")
    listed = spaces.run(spaces.pod, "nft", "list", "ruleset")
    assert listed.count("tcp dport 80 redirect to :9081") == 1
    assert "10.96.0.10" in listed
    spaces.run(spaces.pod, *command, "--undo")
    assert "ops_sidecar" not in spaces.run(spaces.pod, "nft", "list", "ruleset")
