"""Clients and an upstream that do anything at any moment. What a request wants done stands in its X-Do field."""

from __future__ import annotations

import asyncio
import random
import re

from fuzzing import grammar
from fuzzing.peers import Peer
from fuzzing.reader import Malformed, Message, read_request, read_response
from fuzzing.rig import Rig

_PROMPT = (b"length", b"length", b"length", b"chunked", b"close", b"big", b"interim", b"http10")
_ROUGH = (
    b"reset", b"reset-in-head", b"close-in-head", b"close-in-body", b"reset-in-body", b"surplus", b"surplus-later",
    b"stall", b"silent", b"flood", b"switch", b"bad", b"idle-close", b"half-close", b"early", b"early", b"early",
    b"no-read", b"slow-body", b"endless",
)  # fmt: skip
BIG = 300_000


class Upstream:
    """Does what each request asks for. Each answer holds the request's id and nothing of anybody else's."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.problems: list[str] = []
        self.requests = 0
        self._positions: dict[Peer, int] = {}
        self._tunnels: set[Peer] = set()
        self._early: set[Peer] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, peer: Peer) -> None:
        if peer.is_lost:
            self._positions.pop(peer, None)
            self._tunnels.discard(peer)
            self._early.discard(peer)
            return
        if peer in self._tunnels:
            if peer.saw_eof:
                peer.close()
            else:
                peer.write(bytes(peer.received))
                peer.received.clear()
            return
        if peer.saw_eof:
            peer.close()
            return
        data = bytes(peer.received)
        position = self._positions.get(peer, 0)
        head_end = data.find(b"\r\n\r\n", position)
        if head_end >= 0 and peer not in self._early and b"X-Do: early" in data[position:head_end]:
            self._early.add(peer)
            _, _, name = data[position:head_end].partition(b"X-Id: ")  # which a mutation may have taken out
            name = name.partition(b"\r\n")[0]
            peer.write(_by_length(name, b"early " + name))
            return
        if head_end >= 0 and b"X-Do: no-read" in data[position:head_end]:
            peer.pause()
            return
        try:
            message = read_request(data, position)
        except Malformed as error:
            self.problems.append(f"{error} in {data[position:][:500]!r}")
            peer.close()
            return
        if message is None:
            return
        self._positions[peer] = message.end
        self.requests += 1
        if peer in self._early:
            self._early.discard(peer)
            return
        task = asyncio.get_running_loop().create_task(self._answer(peer, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, peer: Peer, message: Message) -> None:
        name, do = message.value(b"x-id"), message.value(b"x-do")
        dice = self.dice
        if dice.random() < 0.3:
            await asyncio.sleep(dice.random() * 0.02)
        body = b"" if message.start[0] == b"HEAD" else b"body of " + name
        whole = _by_length(name, b"body of " + name, body)
        if do == b"length":
            await peer.send(whole, dice)
        elif do == b"chunked":
            head = b"HTTP/1.1 200 OK\r\nX-Id: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % name
            await peer.send(head + (grammar.chunked(body, dice, trailers=False) if body else b""), dice)
        elif do == b"close":
            await peer.send(b"HTTP/1.1 200 OK\r\nX-Id: %b\r\n\r\n%b" % (name, body), dice)
            peer.close()
        elif do == b"http10":
            await peer.send(b"HTTP/1.0 200 OK\r\nX-Id: %b\r\n\r\n%b" % (name, body), dice)
            peer.close()
        elif do == b"big":
            much = (name + b" ") * (BIG // (len(name) + 1))
            peer.write(_by_length(name, much, much if body else b""))
        elif do == b"interim":
            for _ in range(dice.randrange(1, 5)):
                peer.write(
                    grammar.pick(dice, (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"))
                )
                await asyncio.sleep(0)
            peer.write(whole)
        elif do == b"reset":
            peer.reset()
        elif do in (b"reset-in-head", b"close-in-head"):
            peer.write(whole[: dice.randrange(1, 30)])
            await asyncio.sleep(dice.random() * 0.01)
            peer.reset() if do[:1] == b"r" else peer.close()
        elif do in (b"reset-in-body", b"close-in-body"):
            peer.write(_by_length(name, b"x" * 1000, b"x" * dice.randrange(999)))
            await asyncio.sleep(dice.random() * 0.01)
            peer.reset() if do[:1] == b"r" else peer.close()
        elif do == b"surplus":
            peer.write(whole + grammar.pick(dice, (b"x", grammar.EVIL, b"\r\n", b"HTTP/1.1 100 C\r\n\r\n")))
        elif do == b"surplus-later":
            peer.write(
                b"HTTP/1.1 200 OK\r\nX-Id: %b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (name, len(body))
                + body
            )
            await asyncio.sleep(0)
            peer.write(grammar.EVIL)
        elif do == b"stall":
            await asyncio.sleep(0.1 + dice.random() * 0.3)
            peer.write(whole)
        elif do == b"flood":
            peer.write(b"HTTP/1.1 103 Early\r\n\r\n" * 40 + whole)
        elif do == b"switch":
            if message.value(b"upgrade") or dice.random() < 0.3:
                self._tunnels.add(peer)
                peer.received.clear()
                self._positions[peer] = 0
                peer.write(b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello " + name)
            else:
                peer.write(whole)
        elif do == b"bad":
            peer.write(grammar.mutated(whole, grammar.OF_RESPONSES, dice))
            peer.close()
        elif do == b"idle-close":
            peer.write(whole)
            await asyncio.sleep(dice.random() * 0.01)
            peer.reset() if dice.random() < 0.5 else peer.close()
        elif do == b"half-close":
            peer.write(whole)
            peer.half_close()
        elif do == b"slow-body":
            for index in range(len(whole)):
                peer.write(whole[index : index + 1])
                await asyncio.sleep(0.001)
        elif do == b"endless":
            peer.write(b"HTTP/1.1 200 OK\r\nX-Id: %b\r\nContent-Length: 100000000\r\n\r\n" % name + bytes(200_000))
        # silent: nothing, until the sidecar has had enough


def _by_length(name: bytes, body: bytes, sent: bytes | None = None) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nX-Id: %b\r\nContent-Length: %d\r\n\r\n" % (name, len(body))
    return head + (body if sent is None else sent)


class Actor:
    """One client: opens a connection, does a few things on it, and goes, one way or another."""

    def __init__(self, rig: Rig, name: bytes, dice: random.Random) -> None:
        self.rig = rig
        self.name = name
        self.dice = dice
        self.answered = 0
        self._is_stuck = False  # what was sent last is not whole: whatever followed would be a part of it
        self._asked: list[tuple[bytes, bytes]] = []  # method, id
        self._garbled: set[bytes] = set()  # ids of answers that the upstream garbles

    async def run(self) -> None:
        dice = self.dice
        if dice.random() < 0.15:
            await self._tunnel()
            return
        listener = "outbound" if dice.random() < 0.2 else "inbound"
        try:
            peer = await self.rig.client(listener)
        except OSError:
            return  # the listener has just been moved or closed
        for number in range(dice.randrange(1, 6)):
            for piece in range(grammar.pick(dice, (1, 1, 1, 2, 4))):
                if not await self._ask(peer, b"%b-%d-%d" % (self.name, number, piece), listener):
                    break
            if dice.random() < 0.1:
                peer.pause()
                await asyncio.sleep(dice.random() * 0.7)
                peer.resume()
            if dice.random() < 0.85:
                await peer.until(lambda: self._check(peer) or peer.is_over, dice.choice((0.02, 0.3, 2.0)))
            if peer.is_over or self._is_stuck:
                break
        self._check(peer)
        end = dice.randrange(4)
        if end == 0:
            peer.reset()
        elif end == 1:
            peer.half_close()
            await peer.until(lambda: peer.is_over, 2.0)
            self._check(peer)
        peer.close()

    async def _ask(self, peer: Peer, name: bytes, listener: str) -> bool:
        """Send a request, or a part of it. False where nothing can follow."""
        dice = self.dice
        do = grammar.pick(dice, _PROMPT) if dice.random() < 0.6 else grammar.pick(dice, _ROUGH)
        method = grammar.pick(dice, (b"GET", b"GET", b"POST", b"PUT", b"HEAD"))
        if do == b"early":
            method = b"POST"
        host = b"127.0.0.1:%d" % self.rig.port if listener == "outbound" else b"app"
        lines = [b"%b /%b HTTP/1.1" % (method, name), b"Host: " + host, b"X-Id: " + name, b"X-Do: " + do]
        body = b""
        if method in (b"POST", b"PUT"):
            body = bytes(dice.choice((0, 10, 1000, 200_000)))
            if dice.random() < 0.3:
                lines.append(b"Expect: 100-continue")
            if dice.random() < 0.5:
                lines.append(b"Transfer-Encoding: chunked")
                body = grammar.chunked(body, dice)
            else:
                lines.append(b"Content-Length: %d" % len(body))
        elif do == b"switch":
            lines.append(b"Connection: upgrade\r\nUpgrade: echo")
        if dice.random() < 0.1:
            lines.append(b"Connection: close")
        if dice.random() < 0.5:
            lines.append(b"traceparent: 00-%032x-%016x-01" % (dice.randrange(1, 1 << 99), dice.randrange(1, 1 << 60)))
        data = b"\r\n".join([*lines, b"", b""]) + body
        self._asked.append((method, name))
        if do == b"bad":
            self._garbled.add(name)
        whim = dice.random()
        if whim < 0.05:
            data = data[: dice.randrange(1, len(data))]  # and then nothing
        elif whim < 0.08:
            data = grammar.mutated(data, grammar.OF_REQUESTS, dice)
            self._asked.clear()  # nobody can say any more which answer belongs to what
            self._asked.append((b"?", name))
        if do == b"early":  # the rest after the answer, or never
            await peer.send(data[: len(data) - len(body) // 2], dice)
            answered = len(peer.received)
            await peer.until(lambda: len(peer.received) > answered or peer.is_over, 0.1)
            data = data[len(data) - len(body) // 2 :] if whim > 0.5 else b""
        await peer.send(data, dice)
        if whim < 0.03:
            peer.half_close()
        elif whim > 0.97:
            peer.reset()
        self._is_stuck = self._is_stuck or whim < 0.08 or (do == b"early" and not data)
        return not (self._is_stuck or peer.is_over)

    def _check(self, peer: Peer) -> bool:
        """Whether all answers are there; each must be to its own request."""
        if any(method == b"?" for method, _ in self._asked):
            return peer.is_over
        data = bytes(peer.received)
        position = 0
        for answered, (method, name) in enumerate(self._asked, 1):
            while True:
                message = read_response(data, position, method, ended=peer.is_over)
                if message is None:
                    return False
                position = message.end
                if message.start[0] == b"101":
                    hello = data[position : position + 6 + len(name)]
                    assert (b"hello " + name).startswith(hello), hello
                    return True
                if message.start[0][:1] != b"1":
                    break
            self.answered = max(self.answered, answered)
            if name not in self._garbled:
                whose = message.value(b"x-id")
                assert whose in (b"", name), f"{whose!r} is the answer to {name!r}"
                of_whom = re.search(rb"body of (.*)", message.body)
                assert of_whom is None or name.startswith(of_whom[1]), (name, message.body)
        return True

    async def _tunnel(self) -> None:
        try:
            peer = await self.rig.client("outbound")
        except OSError:
            return
        port = self.rig.port if self.dice.random() < 0.8 else 1
        peer.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: x:1\r\n\r\n" % port)
        inner = _inner(self.name)
        if self.dice.random() < 0.5:
            peer.write(inner)
        if self.dice.random() < 0.2:
            peer.reset()
        await peer.until(lambda: b"body of" in peer.received or peer.is_over, self.dice.choice((0.0, 0.05, 1.0)))
        if self.dice.random() < 0.3:
            peer.half_close()
            await peer.until(lambda: peer.is_over, 0.5)
        peer.close()


def _inner(name: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: app\r\nX-Id: %b\r\nX-Do: length\r\n\r\n" % name
