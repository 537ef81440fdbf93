"""A name whose address changes while the sidecar runs: looked up by the system as ever, in a hosts file of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from lab.peers import Upstream
from lab.process import SidecarProcess
from lab.sidecar import LISTEN

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
NAME = "moving.test"
OLD, NEW = "127.0.0.2", "127.0.0.3"

# The sidecar gets files of its own in place of the system's, in a mount namespace of its own (as root, or as a user who
# may make one).
UNSHARE: Final = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")


class Hosts:
    """The hosts file that a sidecar reads."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "hosts"
        self._switch = folder / "nsswitch.conf"
        self._switch.write_text("hosts: files\n")
        self._file.write_text(self._line(OLD))

    def _line(self, address: str) -> str:
        return f"{address} {NAME}\n"

    @property
    def prefix(self) -> tuple[str, ...]:
        """The beginning of a command that sees it."""
        script = 'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@"'
        return (*UNSHARE, "sh", "-c", script, str(self._file), str(self._switch))

    def move(self, address: str) -> None:
        """In one write over the old line: never an empty file."""
        with self._file.open("r+") as file:
            file.write(self._line(address))


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    made = Hosts(tmp_path)
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    tried = subprocess.run([*made.prefix, "getent", "ahosts", NAME], capture_output=True, text=True, check=False)
    if OLD not in tried.stdout:
        pytest.skip(f"no mount namespace to be had: {tried.stderr.strip()}")
    return made


@pytest.fixture
def places() -> Iterator[tuple[Upstream, Upstream]]:
    """Two servers at two addresses, of the same port."""
    for _ in range(20):
        old = Upstream(OLD)
        try:
            new = Upstream(NEW, port=old.port)
        except OSError:  # taken, by chance
            old.close()
            continue
        break
    yield old, new
    old.close()
    new.close()


def test_a_name_moves(hosts: Hosts, places: tuple[Upstream, Upstream]) -> None:
    """New requests go to the new address. An idle connection to the old one is closed; one in use serves its exchange
    and no other."""
    old, new = places
    settings = ("--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", f"http://{NAME}:{old.port}")
    with SidecarProcess(*settings, "--set", "pool.dns_refresh_s=0.1", prefix=hosts.prefix) as sidecar:
        client, busy = sidecar.client(), sidecar.client()
        client.send(GET)
        idle = old.accept()
        idle.request()
        busy.send(GET)
        used = old.accept()
        used.request()
        idle.reply(b"old")
        assert client.response().body == b"old"
        hosts.move(NEW)
        assert idle.is_ended()
        for each in (client, sidecar.client()):
            each.send(GET)
            new.answer(b"new")
            assert each.response().body == b"new"
        used.reply(b"as it began")
        assert busy.response().body == b"as it began"
        assert used.is_ended()
        busy.send(GET)
        new.answer(b"new")
        assert busy.response().body == b"new"
        assert not old.has_caller()


def test_a_service_that_moved_is_found_at_once(hosts: Hosts, places: tuple[Upstream, Upstream]) -> None:
    """Its old address refuses and stays remembered for an hour: whoever finds out is answered by the new one."""
    old, new = places
    settings = ("--inbound", LISTEN, "--outbound", "off", "--admin", LISTEN, "--app", f"http://{NAME}:{old.port}")
    with SidecarProcess(*settings, "--set", "pool.dns_refresh_s=1h", prefix=hosts.prefix) as sidecar:
        client = sidecar.client()
        client.send(GET)
        first = old.accept()
        first.answer(b"old")
        assert client.response().body == b"old"
        old.close()
        hosts.move(NEW)
        first.close()
        for each in (client, sidecar.client()):
            each.send(GET)
            new.answer(b"new")
            assert each.response().body == b"new"
        assert "# TYPE ops_sidecar_upstream_moved_total counter" in sidecar.get("/metrics", "admin")[1]
        assert sidecar.metric("ops_sidecar_upstream_moved_total") == 1


def test_a_name_that_is_lost_keeps_its_address(hosts: Hosts, places: tuple[Upstream, Upstream]) -> None:
    """A look-up that fails is not the end of the upstream; the next that succeeds counts again."""
    old, new = places
    settings = ("--inbound", LISTEN, "--outbound", "off", "--admin", "off", "--app", f"http://{NAME}:{old.port}")
    with SidecarProcess(*settings, "--set", "pool.dns_refresh_s=0.1", prefix=hosts.prefix) as sidecar:
        client = sidecar.client()
        client.send(GET)
        first = old.accept()
        first.answer(b"old")
        assert client.response().body == b"old"
        hosts.move("#.......#")
        for _ in range(3):  # each on a new connection, which asks again
            first.close()
            client.send(GET)
            first = old.accept()
            first.answer(b"still")
            assert client.response().body == b"still"
        hosts.move(NEW)
        assert first.is_ended()
        client.send(GET)
        new.answer(b"new")
        assert client.response().body == b"new"


def test_a_name_that_leads_where_nobody_may_go(hosts: Hosts) -> None:
    """Judged by what it leads to, after the look-up."""
    hosts.move("169.254.169.254")
    settings = ("--inbound", "off", "--outbound", LISTEN, "--admin", "off")
    with SidecarProcess(*settings, prefix=hosts.prefix) as sidecar:
        name = NAME.encode()
        for request, method in (
            (b"GET http://" + name + b"/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET"),
            (b"GET / HTTP/1.1\r\nHost: " + name + b"\r\n\r\n", "GET"),
            (b"CONNECT " + name + b":443 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT"),
        ):
            answer = sidecar.client("outbound").ask(request, method)
            assert answer.status == 403
            assert b"error=destination_ip_prohibited" in (answer.head.value("proxy-status") or b"")
