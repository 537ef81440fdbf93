"""The owner of a connection's other end, found in the kernel's own tables."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from lab.transports import FakeTransport

from proxy.transport import processes
from proxy.transport.processes import GONE, NOBODY, UNKNOWN, Ends, owners

# Connects to the port it is given, says so, and ends with its standard input.
CALLER = (
    "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); print('up', flush=True)\n"
    "sys.stdin.read()"
)
FORKING = (
    "import os, socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); child = os.fork()\n"
    "if child: print('up', flush=True)\n"
    "sys.stdin.read()"
)


def connected(host: str, program: str) -> Iterator[tuple[Ends, int]]:
    """A process that has connected to us: the connection as it sees it, and its id."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        own = listener.getsockname()
        caller = subprocess.Popen(
            (sys.executable, "-c", program, host, str(own[1])), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert caller.stdin is not None
        assert caller.stdout is not None
        with caller, listener.accept()[0] as accepted:
            assert caller.stdout.readline() == "up\n"
            theirs = accepted.getpeername()
            yield Ends(theirs[0], theirs[1], own[0], own[1]), caller.pid
            caller.stdin.close()


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("way", ["netlink", "table"])
def test_the_process_of_a_connection(host: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "table":

        def unknown(_: Ends) -> int:
            raise OSError

        monkeypatch.setattr(processes, "_inode_by_netlink", unknown)
    for ends, process in connected(host, CALLER):
        assert owners([ends]) == {ends: process}
        other = ends._replace(port=ends.port ^ 1)
        assert owners([other, ends]) == {ends: process, **({other: GONE} if way == "netlink" else {})}


def test_a_listener_is_no_connection() -> None:
    """It is at one of these ends, but nobody has connected from the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert processes._inode(Ends("127.0.0.1", listener.getsockname()[1], "127.0.0.1", 1)) == GONE


def test_a_connection_is_gone_if_the_kernel_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not if it refuses to say, or if its table was not read to the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        ends = Ends(*listener.getsockname(), *client.getsockname())
        accepted, _ = listener.accept()
        client.close()
        assert owners([ends]) == {}  # closed at one end, and held by us at the other
        accepted.close()
        assert owners([ends]) == {ends: GONE}
        assert owners([ends._replace(host="192.0.2.1")]) == {}
        monkeypatch.setattr(processes, "_SOCK_DIAG_BY_FAMILY", 0xFFFF)  # EINVAL
        assert processes._inode_by_netlink(ends) == UNKNOWN
        monkeypatch.setattr(socket, "AF_NETLINK", socket.AF_UNSPEC)
        assert owners([ends]) == {}


def test_a_socket_that_two_processes_hold_belongs_to_neither() -> None:
    for ends, _ in connected("127.0.0.1", FORKING):
        assert owners([ends]) == {}


@pytest.fixture(params=["netlink", "table"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the kernel is asked, and no other way: it may have no sock_diag."""
    if request.param == "table":
        monkeypatch.setattr(socket, "AF_NETLINK", socket.AF_UNSPEC)
    else:
        monkeypatch.setattr(processes, "_inode_by_table", lambda _: pytest.fail("it has sock_diag"))
    return str(request.param)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_that_waits_to_be_accepted_is_held_by_nobody(
    host: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there, and no process has begun with it: unlike one that is held where we cannot look."""
    ours = os.getpid()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((host, port)) as client:
            ends = Ends(host, port, host, client.getsockname()[1])
            wrong = [
                ends._replace(port=port ^ 1),
                ends._replace(peer_port=ends.peer_port ^ 1),
                ends._replace(host="::2" if family == socket.AF_INET6 else "127.0.0.2"),
                ends._replace(peer_host="::2" if family == socket.AF_INET6 else "127.0.0.2"),
            ]
            is_told = way == "netlink"  # and of loopback alone, which ::2 is not
            gone = [each for each in wrong if is_told and "::2" not in (each.host, each.peer_host)]
            assert owners([*wrong, ends]) == {**dict.fromkeys(gone, GONE), ends: NOBODY}
            with listener.accept()[0]:
                assert owners([ends]) == {}  # ours
                monkeypatch.setattr(os, "getpid", lambda: 1)  # as if another process asked
                theirs = Ends(ends.peer_host, ends.peer_port, host, port)
                assert owners([ends, theirs]) == dict.fromkeys((ends, theirs), ours)


def test_our_own_sockets_are_nobodys() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        ends = Ends(*client.getsockname(), *client.getpeername())
        assert owners([ends]) == {}


def test_too_many_processes_to_look_at_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_MOST_PROCESSES", 0)
    for ends, _ in connected("127.0.0.1", CALLER):
        assert owners([ends]) == {}


def test_too_many_files_to_look_at_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_MOST_FILES", 1)
    for ends, _ in connected("127.0.0.1", CALLER):
        assert owners([ends]) == {}


def test_nothing_wanted_costs_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda _: pytest.fail("looked"))
    assert owners([]) == {}


@pytest.mark.parametrize(
    ("peer", "own", "found"),
    [
        (("10.0.0.1", 5), ("10.0.0.2", 80), Ends("10.0.0.1", 5, "10.0.0.2", 80)),
        (("fe80::1%eth0", 5, 0, 2), ("fe80::2%eth0", 80, 0, 2), Ends("fe80::1", 5, "fe80::2", 80)),
        ("", ("10.0.0.2", 80), None),
        (("10.0.0.1", 5), "/run/app.sock", None),
        (None, None, None),
    ],
)
def test_both_ends_of_a_connection(peer: object, own: object, found: Ends | None) -> None:
    """The peer's first, without the zone of a link-local address; none of a Unix socket."""
    transport = FakeTransport(peername=peer, sockname=own)
    assert processes.ends(transport) == found
