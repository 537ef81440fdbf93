"""A protocol that exists in tests alone: both sides of an exchange, and a pool, that write down what they are told.

Compiled classes have no subclass in Python: tests of compiled code are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from lab.pairs import Pair, Plane
from proxy.listener.sides import Answerer, Asker, Receiver
from proxy.listener.upstreams.pools import Pool, PoolFactory
from proxy.semantics.authority import Authority
from proxy.semantics.faults import Refusal
from proxy.semantics.request import Field, Request
from proxy.semantics.response import Response
from proxy.transport.deadlines import NEVER
from proxy.transport.tunnel import End, FarEnd


class OtherRequest(Request):
    """A request of the other protocol."""

    def __init__(self, method: bytes, length: int | None = 0) -> None:
        self.method = method
        self.path = b"/a?b"
        self.host = b"app"
        self.authority = Authority("app", 0)
        self.length = length
        self.trace = [(b"b3", b"80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")]
        self._fields: list[Field] = [(b"x-a", b"1")]
        self.version = b"2.0"

    def fields(self) -> list[Field]:
        return self._fields

    def field(self, name: bytes) -> bytes:
        return dict(self._fields).get(name, b"")

    def weigh(self) -> tuple[int, int]:
        return len(self._fields), 0

    def forward(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))


class OtherResponse(Response):
    """A response of the other protocol."""

    def __init__(self, status: int, length: int | None) -> None:
        self.status = status
        self.length = length

    @property
    def version(self) -> bytes:
        return b"2.0"

    def fields(self) -> list[Field]:
        return [(b"x-b", b"2")]

    def has_date(self) -> bool:
        return False


class OtherAsker(Asker):
    """A client's side that writes down what it is told."""

    def __init__(self) -> None:
        self.address, self.port, self.names = b"10.0.0.1", 50000, ()
        self.pinned = None
        self.process = -1
        self.told: list[Any] = []

    def answer(self, response: Response, content: bytes, done: bool, trailers: list[bytes]) -> None:
        self.told.append((response.status, response.fields(), content, done))

    def answer_content(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        self.told.append((content, done, trailers))

    def answer_interim(self, response: Response) -> None:
        self.told.append(response.status)

    def switch(self, response: Response, answerer: Answerer, rest: bytes, idle_s: float) -> None:
        raise NotImplementedError

    def hold(self, held: bool) -> None:
        self.told.append(("hold", held))

    def exchange_over(self) -> None:
        self.told.append("over")

    def exchange_failed(self, refusal: Refusal, cut: bool) -> None:
        self.told.append((refusal.fault, cut))

    def refuse(self, refusal: Refusal) -> None:
        raise NotImplementedError

    def connected(self, far: FarEnd, idle_s: float) -> None:
        raise NotImplementedError


class OtherAnswerer(Answerer):
    """An upstream's side that writes down what it is told."""

    def __init__(self) -> None:
        self.remote = b"127.0.0.1", 8080
        self.connect_s = 0.0
        self.process = -1
        self.is_pinned = self.is_behind = self.is_ready = self.is_careful = False
        self.told: list[Any] = []

    def ask(self, receiver: Receiver, content: bytes, done: bool, trailers: list[bytes]) -> None:
        self.receiver = receiver
        self.told.append((receiver.request.method, receiver.request.fields(), content, done, trailers))

    def send(self, content: bytes, done: bool, trailers: list[bytes]) -> None:
        self.told.append((content, done, trailers))

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")

    def has_more(self) -> bool:
        return self.is_behind

    def is_ready_for(self, pool: object) -> bool:
        return self.is_ready

    def may_be_unheard(self) -> bool:
        return self.is_careful

    def close(self) -> None:
        self.told.append("close")

    def end(self) -> None:
        self.told.append("end")

    def abort(self) -> None:
        self.told.append("abort")

    def detach(self, tell: Callable[[int], None], received: bytes) -> End:
        raise NotImplementedError


class OtherPool(Pool):
    """Answers at once, each time anew; or lets wait while it is full."""

    is_unused = is_idle = is_full = False

    def __init__(self) -> None:
        self.answerers: list[OtherAnswerer] = []
        self.waiting: list[Receiver] = []
        self.retries = self.timeouts = 0

    def acquire(self, receiver: Receiver) -> None:
        self.enqueue(receiver)

    def enqueue(self, receiver: Receiver) -> None:
        if self.is_full:
            receiver.deadline = NEVER
            self.waiting.append(receiver)
            return
        self.answerers.append(answerer := OtherAnswerer())
        receiver.on_connected(answerer)

    def give_up(self, receiver: Receiver) -> None:
        self.waiting.remove(receiver)

    def count_retry(self) -> None:
        self.retries += 1

    def count_queue_timeout(self) -> None:
        self.timeouts += 1

    def on_tick(self) -> None:
        raise NotImplementedError

    def shed(self) -> bool:
        return False

    def close(self) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError

    async def wait_closed(self) -> None:
        raise NotImplementedError


def other_plane() -> tuple[Plane, OtherPool, Pair]:
    pool = OtherPool()
    plane = Plane(make_pool=cast(PoolFactory, lambda *_: pool))
    return plane, pool, Pair(plane, kept=False)
