"""Where an outbound listener may lead: addresses are judged after the look-up, however one gets there."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from lab.peers import Upstream
from lab.process import SidecarProcess
from lab.sidecar import LISTEN, Sidecar

from proxy.plan import Address

METADATA = [b"169.254.169.254", b"2852039166", b"0xa9fea9fe", b"169.16689662", b"0251.254.169.254"]
METADATA += [b"[::ffff:169.254.169.254]", b"[fe80::1]", b"[fd00:ec2::254]", b"100.100.100.200", b"169.254.169.254."]


def by_absolute_form(authority: bytes) -> bytes:
    return b"GET http://" + authority + b"/latest/ HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n"


def by_host(authority: bytes) -> bytes:
    return b"GET /latest/ HTTP/1.1\r\nHost: " + authority + b"\r\n\r\n"


def by_connect(authority: bytes) -> bytes:
    port = b"" if b":" in authority.rpartition(b"]")[2] else b":80"
    return b"CONNECT " + authority + port + b" HTTP/1.1\r\nHost: a\r\n\r\n"


WAYS = pytest.mark.parametrize("way", [by_absolute_form, by_host, by_connect])
Way = Callable[[bytes], bytes]


@pytest.fixture
def outbound(start: Callable[..., Sidecar]) -> Callable[..., Sidecar]:
    """`outbound(deny=..., allow=...)`"""

    def make(*upstreams: dict[str, Any], **settings: Any) -> Sidecar:
        return start(
            {
                "inbound": {"listen": "off"},
                "outbound": {"listen": LISTEN, **settings},
                "upstreams": list(upstreams),
                "timeouts": {"connect_s": 1},
            }
        )

    return make


def check_prohibited(sidecar: Sidecar, request: bytes, listener: str = "outbound") -> str:
    """403, of a fault of its own. Its words."""
    answer = sidecar.ask(request, listener, request.split(b" ", 1)[0].decode())
    assert answer.status == 403
    assert b"error=destination_ip_prohibited" in (answer.head.value("proxy-status") or b"")
    problem = json.loads(answer.body)
    assert problem["type"] == "urn:ops-sidecar:problem:destination-prohibited"
    return str(problem["detail"])


def reaches(sidecar: Sidecar, upstream: Upstream, request: bytes) -> None:
    client = sidecar.client("outbound")
    client.send(request)
    if request.startswith(b"CONNECT"):
        far = upstream.accept()
        assert client.response("CONNECT").status == 200
        far.close()
        client.close()
    else:
        upstream.answer(b"there")
        assert client.response().body == b"there"


@WAYS
@pytest.mark.parametrize("host", METADATA)
def test_metadata_and_link_local(outbound: Callable[..., Sidecar], way: Way, host: bytes) -> None:
    """In any spelling, by each way; and counted."""
    sidecar = outbound()
    check_prohibited(sidecar, way(host))
    if way is by_connect:
        assert sidecar.metrics.listener("outbound").protocol_errors == {"destination-prohibited": 1}
    else:
        assert sidecar.metrics.upstream("other").connect_failures == {"destination-prohibited": 1}
        assert sidecar.metrics.exchange("outbound", "other").faults == {"destination-prohibited": 1}


def test_a_target_of_the_settings(outbound: Callable[..., Sidecar]) -> None:
    """By an upstream's listener of its own, and by a name that leads to the upstream."""
    sidecar = outbound(
        {"name": "meta", "match": ["meta.test"], "target": "http://169.254.169.254", "listen": LISTEN},
    )
    check_prohibited(sidecar, by_host(b"anything.test"), "meta")
    check_prohibited(sidecar, by_host(b"meta.test"))


@WAYS
def test_the_admin_listener(outbound: Callable[..., Sidecar], upstream: Upstream, way: Way) -> None:
    """Its address is opened by a pattern with its port alone, not by one of a whole network."""
    admin = Address("127.0.0.1", upstream.port)
    sidecar = outbound(allow=["127.0.0.0/8"])
    sidecar.call(lambda: sidecar.plane.know_admin(admin))
    for host in (b"127.0.0.1", b"localhost", b"2130706433", b"127.1", b"0x7f000001", b"0.0.0.0", b"[::ffff:127.0.0.1]"):
        assert "admin" in check_prohibited(sidecar, way(host + b":%d" % admin.port))
    opened = outbound(allow=[f"127.0.0.1:{admin.port}"])
    opened.call(lambda: opened.plane.know_admin(admin))
    reaches(opened, upstream, way(b"127.0.0.1:%d" % admin.port))


@WAYS
@pytest.mark.parametrize("host", [b"127.0.0.1", b"localhost", b"2130706433", b"127.1", b"0x7f000001", b"0.0.0.0"])
def test_addresses_of_the_settings(outbound: Callable[..., Sidecar], upstream: Upstream, way: Way, host: bytes) -> None:
    """Names by what they lead to; and a reload counts for the next request, on a connection that is kept as well."""
    authority = host + b":%d" % upstream.port
    sidecar = outbound(deny=["127.0.0.0/8", "::1"])
    assert "is denied" in check_prohibited(sidecar, way(authority))
    settings = {"inbound": {"listen": "off"}, "admin": {"listen": "off"}}
    where = {"outbound": {"listen": str(sidecar.addresses["outbound"])}}
    sidecar.replace({**settings, **where})
    reaches(sidecar, upstream, way(authority))
    where["outbound"]["deny"] = ["127.0.0.0/8", "::1"]  # type: ignore[assignment]
    sidecar.replace({**settings, **where})
    check_prohibited(sidecar, way(authority))
    assert not upstream.has_caller()


@WAYS
def test_names_of_the_settings(outbound: Callable[..., Sidecar], upstream: Upstream, way: Way) -> None:
    """A list of what is allowed, and nothing else."""
    sidecar = outbound(deny=["*"], allow=["localhost"])
    reaches(sidecar, upstream, way(b"localhost:%d" % upstream.port))
    assert "* is denied" in check_prohibited(sidecar, way(b"127.0.0.1:%d" % upstream.port))


@WAYS
def test_the_inbound_listener_stays_open(start: Callable[..., Sidecar], upstream: Upstream, way: Way) -> None:
    """So an app calls itself."""
    sidecar = start({"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN}})
    authority = b"127.0.0.1:%d" % sidecar.addresses["inbound"].port
    client = sidecar.client("outbound")
    client.send(way(authority))
    if way is by_connect:
        assert client.response("CONNECT").status == 200
        client.send(by_host(b"me"))
    upstream.answer(b"myself")
    assert client.response().body == b"myself"


def test_the_admin_listener_of_a_process() -> None:
    """At whatever port the system has given it."""
    with SidecarProcess("--inbound", "off", "--outbound", LISTEN, "--admin", LISTEN) as sidecar:
        authority = b"127.0.0.1:%d" % sidecar.addresses["admin"].port
        for way in (by_absolute_form, by_host, by_connect):
            request = way(authority)
            method = request.split(b" ", 1)[0].decode()
            assert sidecar.client("outbound").ask(request, method).status == 403


def test_a_redirect_is_the_apps_to_follow(outbound: Callable[..., Sidecar], upstream: Upstream) -> None:
    """It passes as it is: we go nowhere because of it."""
    sidecar = outbound()
    client = sidecar.client("outbound")
    client.send(by_host(upstream.authority))
    far = upstream.accept()
    far.request()
    far.send(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n")
    answer = client.response()
    assert (answer.status, answer.head.value("location")) == (302, b"http://169.254.169.254/latest/")
    assert sidecar.metrics.upstream("other").connects == 1


def test_inbound_goes_where_the_settings_say(start: Callable[..., Sidecar], upstream: Upstream) -> None:
    """No rule of outbound's holds there."""
    sidecar = start({"inbound": {"app": upstream.url}, "outbound": {"listen": LISTEN, "deny": ["*"]}})
    client = sidecar.client()
    client.send(by_host(b"a"))
    upstream.answer(b"app")
    assert client.response().body == b"app"


def test_the_words_can_be_kept_back(outbound: Callable[..., Sidecar]) -> None:
    sidecar = outbound(forwarding={"details": False})
    answer = sidecar.ask(by_host(b"169.254.169.254"), "outbound")
    assert answer.status == 403
    assert b"169.254" not in answer.body + (answer.head.value("proxy-status") or b"")


def test_own_addresses_of_every_interface(start: Callable[..., Sidecar]) -> None:
    """An outbound listener at 0.0.0.0 is at each address of this machine, not at loopback alone: 508."""
    own = address_of_this_machine()
    if own is None:
        pytest.skip("this machine has no address but loopback")
    sidecar = start({"inbound": {"listen": "off"}, "outbound": {"listen": "0.0.0.0:0"}})
    authority = own.encode() + b":%d" % sidecar.addresses["outbound"].port
    assert sidecar.ask(by_connect(authority), "outbound", "CONNECT").status == 508


@pytest.mark.parametrize(
    ("listen", "to", "is_own"),
    [
        ("127.0.0.1", b"127.0.0.1", True),
        ("127.0.0.1", b"127.0.0.2", False),  # where something else may listen
        ("127.0.0.1", b"0.0.0.0", True),  # which the system takes for this machine
        ("127.0.0.2", b"0.0.0.0", True),
        ("0.0.0.0", b"127.0.0.2", True),
        ("0.0.0.0", b"0.0.0.0", True),
        ("0.0.0.0", b"192.0.2.1", False),
        ("127.0.0.1", b"[::ffff:127.0.0.1]", True),
    ],
)
def test_which_addresses_are_our_own(start: Callable[..., Sidecar], listen: str, to: bytes, is_own: bool) -> None:
    settings = {"inbound": {"listen": "off"}, "outbound": {"listen": f"{listen}:0"}, "timeouts": {"connect_s": 0.1}}
    sidecar = start(settings)
    authority = to + b":%d" % sidecar.addresses["outbound"].port
    answer = sidecar.ask(by_connect(authority), "outbound", "CONNECT")
    assert (answer.status == 508) is is_own


def address_of_this_machine() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if ipaddress.ip_address(found).is_loopback else found


def test_an_app_that_is_the_sidecar_itself(start: Callable[..., Sidecar]) -> None:
    """By an address that the settings cannot know: a loop, 508. Only a call of the app may come in again."""
    own = address_of_this_machine()
    if own is None:
        pytest.skip("this machine has no address but loopback")
    sidecar = start({"inbound": {"listen": "0.0.0.0:0"}})
    port = sidecar.addresses["inbound"].port
    sidecar.replace({"inbound": {"listen": f"0.0.0.0:{port}", "app": f"http://{own}:{port}"}})
    answer = sidecar.ask(by_host(b"a"))
    assert answer.status == 508
    assert b"the request would be sent to the sidecar itself" in answer.body
