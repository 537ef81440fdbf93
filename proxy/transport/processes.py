"""Finds the process at the other end of a connection on this machine. Blocking: for a thread, not for the event loop.

May know Linux: sock_diag(7), proc(5).
If processes are not visible (another PID namespace, another user), nothing is found, and nothing is guessed.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_MOST_PROCESSES: Final = 1024  # looked at in one search
_MOST_FILES: Final = 65_536  # descriptors looked at in one search
_MOST_TABLE_BYTES: Final = 4 * 1024 * 1024  # of /proc/net/tcp, if the kernel has no sock_diag

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_HEAD: Final = struct.Struct("=IHHII")  # nlmsghdr
_REQUEST: Final = struct.Struct("=BBBBI")  # inet_diag_req_v2 before its sockid
_ANY_COOKIE: Final = b"\xff" * 8
_INODE_AT: Final = _HEAD.size + 68  # of inet_diag_msg.idiag_inode

# What is known of the process at an end.
NOBODY: Final = 0  # none holds it
UNKNOWN: Final = -1  # it was not looked up yet
GONE: Final = -2  # there is no such end any more: whoever held it has closed it, or the connection was reset

_TCP_LISTEN: Final = 10  # include/net/tcp_states.h
_SOCKET_LINK: Final = re.compile(r"socket:\[(\d+)\]\Z")


class Ends(NamedTuple):
    """Both ends of a TCP connection: first that of the wanted process."""

    host: str
    port: int
    peer_host: str
    peer_port: int


def ends(transport: asyncio.BaseTransport) -> Ends | None:
    """Both ends of a connection of ours, the peer's first; None if it is no TCP connection."""
    peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    if not isinstance(peer, tuple) or not isinstance(own, tuple):
        return None
    return Ends(str(peer[0]).split("%")[0], int(peer[1]), str(own[0]).split("%")[0], int(own[1]))


def owners(connections: Iterable[Ends]) -> dict[Ends, int]:
    """The process of each connection; connections without a result are left out.

    NOBODY: this end waits to be accepted, or was closed. GONE is told of loopback alone, where both ends are in sight.
    A socket that several processes share (a server that forks after accepting) is left out, too.
    """
    inodes = {}
    found = {}
    for ends in connections:
        inode = _inode(ends)
        if inode > 0:
            inodes[inode] = ends
        elif inode == NOBODY or (inode == GONE and _is_loopback(ends.host) and _is_loopback(ends.peer_host)):
            found[ends] = inode
    if inodes:
        found.update({inodes[inode]: process for inode, process in _holders(set(inodes)).items()})
    return found


def _is_loopback(host: str) -> bool:
    return host.startswith(("127.", "::ffff:127.")) or host == "::1"


def _inode(ends: Ends) -> int:
    """The inode of the socket with these ends, NOBODY if no process has it; GONE or UNKNOWN if none is found."""
    try:
        return _inode_by_netlink(ends)
    except OSError:
        return _inode_by_table(ends)


def _inode_by_netlink(ends: Ends) -> int:
    family = socket.AF_INET6 if ":" in ends.host else socket.AF_INET
    own, peer = (socket.inet_pton(family, host).ljust(16, b"\0") for host in (ends.host, ends.peer_host))
    sockid = struct.pack(">HH", ends.port, ends.peer_port) + own + peer + bytes(4) + _ANY_COOKIE
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + sockid
    head = _HEAD.pack(_HEAD.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        netlink.send(head + request)  # to the kernel
        answer = netlink.recv(4096)
    _, kind, *_ = _HEAD.unpack_from(answer)
    if kind != _SOCK_DIAG_BY_FAMILY:  # NLMSG_ERROR
        (error,) = struct.unpack_from("=i", answer, _HEAD.size)
        return GONE if error == -errno.ENOENT else UNKNOWN
    if answer[_HEAD.size + 1] == _TCP_LISTEN:  # the kernel answers so if no connection has these ends
        return GONE
    (inode,) = struct.unpack_from("=I", answer, _INODE_AT)
    return int(inode)


def _inode_by_table(ends: Ends) -> int:
    """From /proc/net/tcp: addresses are hex digits in the machine's byte order, four bytes at a time."""
    is_v6 = ":" in ends.host
    wanted = tuple(
        f"{_table_address(host, is_v6)}:{port:04X}".encode()
        for host, port in ((ends.host, ends.port), (ends.peer_host, ends.peer_port))
    )
    with suppress(OSError), Path("/proc/net/tcp6" if is_v6 else "/proc/net/tcp").open("rb") as table:
        for line in table.read(_MOST_TABLE_BYTES).splitlines():
            columns = line.split()
            if len(columns) > 9 and (columns[1], columns[2]) == wanted:
                return int(columns[9])
    return UNKNOWN  # a long table is not read to its end


def _table_address(host: str, is_v6: bool) -> str:
    packed = socket.inet_pton(socket.AF_INET6 if is_v6 else socket.AF_INET, host)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words)


def _holders(inodes: set[int]) -> dict[int, int]:
    """Inode -> the only process that holds it."""
    found: dict[int, int] = {}
    shared: set[int] = set()
    looked = 0
    for process in _processes():
        try:
            names = os.listdir(f"/proc/{process}/fd")  # noqa: PTH208 - names alone, of many
        except OSError:
            continue
        for name in names:
            looked += 1
            if looked > _MOST_FILES:
                return {}  # a partial answer could name the wrong process
            try:
                link = _SOCKET_LINK.match(os.readlink(f"/proc/{process}/fd/{name}"))  # noqa: PTH115
            except OSError:
                continue
            if link is None:
                continue
            inode = int(link[1])
            if inode in inodes and found.setdefault(inode, process) != process:
                shared.add(inode)
    return {inode: process for inode, process in found.items() if inode not in shared}


def _processes() -> list[int]:
    """All processes but our own; empty if there are too many to look at."""
    ours = os.getpid()
    everyone = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != ours]  # noqa: PTH208
    return everyone if len(everyone) <= _MOST_PROCESSES else []
