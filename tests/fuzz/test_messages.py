"""Mutated messages: whatever one side sends, the other gets whole messages of one meaning, or none."""

from __future__ import annotations

import asyncio
import random

from fuzzing import cases, grammar
from fuzzing.peers import Peer
from fuzzing.reader import Malformed, Message, read_request, read_response
from fuzzing.rig import Rig

from proxy.plan import Timeouts

TIMEOUTS = Timeouts(header_read_s=1, body_read_s=1, idle_s=1, response_head_s=0.3, response_body_s=0.3)


class Judge:
    """The upstream: reads strictly whatever comes, and answers each request with its X-Id."""

    def __init__(self) -> None:
        self.seen: list[Message] = []
        self.problems: list[str] = []
        self._positions: dict[Peer, int] = {}

    def __call__(self, peer: Peer) -> None:
        data = bytes(peer.received)
        try:
            while (message := read_request(data, self._positions.get(peer, 0))) is not None:
                self._positions[peer] = message.end
                self.seen.append(message)
                self.answer(peer, message)
        except Malformed as error:
            self.problems.append(f"{error} in {data[self._positions.get(peer, 0) :][:600]!r}")

    def answer(self, peer: Peer, message: Message) -> None:
        name = message.value(b"x-id")
        body = b"" if message.start[0] == b"HEAD" else name
        peer.write(b"HTTP/1.1 200 OK\r\nX-Id: %b\r\nContent-Length: %d\r\n\r\n%b" % (name, len(name), body))


def requests_in(data: bytes) -> list[Message]:
    """Those that a strict reader finds in what a client sent, up to the first that is not one."""
    found: list[Message] = []
    position = 0
    try:
        while (message := read_request(data, position, from_client=True)) is not None:
            found.append(message)
            position = message.end
    except Malformed:
        pass
    return found


def check_order(seen: list[Message], sent: list[Message], data: bytes) -> None:
    """What arrived is what was sent, in order; some of it may be missing (refused, or not for the upstream)."""
    rest = iter(sent)
    for message in seen:
        for other in rest:
            if (message.start[0], message.body) == (other.start[0], other.body):
                break
        else:
            raise AssertionError(f"{message.start} {message.body!r} was never sent: {data!r}")


async def canary(rig: Rig, number: int) -> None:
    """A request on a connection of its own gets its own answer."""
    name = b"canary-%d" % number
    client = await rig.client()
    client.write(b"GET / HTTP/1.1\r\nHost: app\r\nX-Id: %b\r\nConnection: close\r\n\r\n" % name)
    assert await client.until(lambda: client.is_over), "the canary was not answered"
    message = read_response(bytes(client.received), 0, b"GET", ended=True)
    assert message is not None
    assert (message.start[0], message.body) == (b"200", name), bytes(client.received)
    client.close()


def check_responses(data: bytes, methods: list[bytes]) -> list[Message]:
    """All of `data` is responses, of which only the last may be cut."""
    found: list[Message] = []
    position = 0
    while position < len(data):
        method = methods[len(found)] if len(found) < len(methods) else b"GET"
        message = read_response(data, position, method, ended=True)
        if message is None:
            break
        position = message.end
        if message.start[0][:1] != b"1":
            found.append(message)
    return found


async def test_requests() -> None:
    judge = Judge()
    number = 0

    async def case(dice: random.Random) -> None:
        nonlocal number
        number += 1
        del judge.seen[:], judge.problems[:]
        data = b"".join(
            grammar.mutated(grammar.request(b"r%d" % index, dice), grammar.OF_REQUESTS, dice)
            for index in range(dice.randrange(1, 4))
        )
        client = await rig.client()
        await client.send(data, dice)
        client.half_close()
        assert await client.until(lambda: client.is_over), f"neither answered nor closed: {data!r}"
        client.close()
        sent = requests_in(data)
        assert not judge.problems, (judge.problems, data)
        check_order(judge.seen, sent, data)
        assert len(judge.seen) <= len(sent), data
        answers = check_responses(bytes(client.received), [message.start[0] for message in sent])
        assert len(answers) <= len(sent) + 1, (answers, data)
        names = [message.value(b"x-id") for message in answers if message.start[0] == b"200" and message.value(b"x-id")]
        assert len(names) <= len(judge.seen), (names, data)
        if number % 8 == 0:
            await canary(rig, number)
            rig.forget_closed()

    async with Rig.started(judge, timeouts=TIMEOUTS) as rig:
        await cases.run("test_requests", 1200, 0.3, case)
        assert not judge.problems
        await rig.settle()


class Answers(Judge):
    """An upstream that answers with whatever it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.script: tuple[bytes, bool] | None = None
        self.dice = random.Random()
        self.sending: asyncio.Task[None] | None = None

    def answer(self, peer: Peer, message: Message) -> None:
        if self.script is None:
            super().answer(peer, message)
            return
        self.sending = asyncio.get_running_loop().create_task(self.send(peer, *self.script))

    async def send(self, peer: Peer, data: bytes, close: bool) -> None:
        await peer.send(data, self.dice)
        if close:
            peer.close()


async def test_responses() -> None:
    upstream = Answers()
    number = 0

    async def case(dice: random.Random) -> None:
        nonlocal number
        number += 1
        method = grammar.pick(dice, (b"GET", b"GET", b"HEAD", b"POST"))
        name = b"n%d" % number
        upstream.dice = dice
        good, close = grammar.response(name, method, dice)
        data = grammar.mutated(good, grammar.OF_RESPONSES, dice)
        # Whatever does not end by itself ends with the connection, so that no case has to wait for a timeout.
        upstream.script = (data, True if close else dice.random() < 0.97)
        client = await rig.client()
        client.write(b"%b / HTTP/1.1\r\nHost: app\r\nX-Id: %b\r\nConnection: close\r\n" % (method, name))
        client.write(b"Content-Length: 2\r\n\r\nhi" if method == b"POST" else b"\r\n")
        assert await client.until(lambda: client.is_over), f"neither answered nor closed: {data!r}"
        received = bytes(client.received)
        client.close()
        if upstream.sending is not None:
            await upstream.sending  # else what it still sends might meet the next request
            upstream.sending = None
        assert not upstream.problems, upstream.problems
        answers = check_responses(received, [method] * 2)
        assert len(answers) <= 1, (received, data)
        if b" 1" not in data[:12]:  # an interim response: what follows is the answer, whatever it says
            assert all(message.value(b"x-id") != b"evil" for message in answers), (received, data)
        upstream.script = None
        await canary(rig, number)
        if number % 8 == 0:
            rig.forget_closed()

    async with Rig.started(upstream, timeouts=TIMEOUTS) as rig:
        await cases.run("test_responses", 400, 0.2, case)
        await rig.settle()
