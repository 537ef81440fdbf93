"""Who is measured when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from bench import rounds as module
from bench.children import ChildError
from bench.load import LoadError
from bench.measure import Sample
from bench.peers import PEERS, Peer
from bench.rounds import TURNS, Rounds, lasts_s, loads

JUDGED = [peer for peer in PEERS if peer.key in ("nginx", "envoy", "sidecar")]
OTHERS = [peer for peer in PEERS if peer.key in ("haproxy", "traefik")]


class Lab:
    """Stands for proxies: writes down what is done with them, and fails where it is told to."""

    def __init__(self, failing: dict[str, list[str]] | None = None) -> None:
        self.done: list[str] = []
        self.up: list[str] = []
        self.most_up = 0
        self._failing = failing or {}  # by what is done and with whom: a reason for each time, empty to succeed
        self.heard: list[tuple[Sample | str, int, int]] = []

    def do(self, what: str, key: str) -> None:
        self.done.append(f"{what} {key}")
        reasons = self._failing.get(f"{what} {key}")
        if reasons and (reason := reasons.pop(0)):
            raise (ChildError if what == "start" else LoadError)(reason)

    @contextmanager
    def running(self, _bench: object, peer: Peer, _warm_up_s: float) -> Iterator[Any]:
        self.do("start", peer.key)
        self.up.append(peer.key)
        self.most_up = max(self.most_up, len(self.up))
        try:
            yield One(self, peer)
        finally:
            self.up.remove(peer.key)

    def run(self, peers: list[Peer], rounds: int = 1) -> tuple[list[Sample], dict[str, str]]:
        def progress(news: Sample | str, done: int, total: int) -> None:
            self.heard.append((news, done, total))

        made = Rounds(cast(Any, None), peers, rounds=rounds, seconds=2.0, warm_up_s=0.0, progress=progress)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "running", self.running)
            return made.run()


class One:
    """One of its proxies."""

    def __init__(self, lab: Lab, peer: Peer) -> None:
        self._lab = lab
        self.peer = peer

    def load(self, round_: int, seconds: float) -> Sample:
        assert seconds == (1.0 if self.peer.judged else 2.0)
        self._lab.do("load", self.peer.key)
        return Sample(self.peer.key, round_, 1000, 1000.0, 1.0, 2.0, 20.0, 10.0, 0, 0, 0, 0.0)

    def with_steady(self, samples: list[Sample], seconds: float) -> list[Sample]:
        assert seconds == 2.0
        self._lab.do("steady", self.peer.key)
        return [replace(one, steady_p99_ms=1.5) for one in samples]


def test_whom_a_target_compares_takes_turns_while_all_of_them_run() -> None:
    """So each is loaded in the same seconds as the others, as nearly as can be, and from both sides."""
    lab = Lab()
    samples, failed = lab.run([*OTHERS, *JUDGED])
    assert failed == {}
    keys = [peer.key for peer in JUDGED]
    assert lab.done[:3] == [f"start {key}" for key in keys]
    turns = [f"load {key}" for key in keys]
    assert lab.done[3 : 3 + 3 * TURNS] == (turns + turns[::-1]) * (TURNS // 2)
    assert lab.done[3 + 3 * TURNS : 6 + 3 * TURNS] == [f"steady {key}" for key in keys]
    assert lab.done[6 + 3 * TURNS :] == [
        f"{what} {peer.key}" for peer in OTHERS for what in ("start", "load", "steady")
    ]
    assert (lab.most_up, lab.up) == (3, [])
    assert [one.peer for one in samples] == [key for key in keys for _ in range(TURNS)] + [peer.key for peer in OTHERS]
    assert {one.steady_p99_ms for one in samples} == {1.5}


def test_each_round_begins_one_further() -> None:
    lab = Lab()
    samples, _ = lab.run([*OTHERS, *JUDGED], rounds=3)
    starts = [one.removeprefix("start ") for one in lab.done if one.startswith("start")]
    judged, others = [peer.key for peer in JUDGED], [peer.key for peer in OTHERS]
    assert starts[:5] == judged + others
    assert starts[5:10] == [*judged[1:], judged[0], *others[::-1]]
    assert starts[10:] == [*judged[2:], *judged[:2], *others]
    assert {one.round for one in samples} == {0, 1, 2}


def test_progress_is_told_of_each_load() -> None:
    lab = Lab()
    lab.run([*OTHERS, *JUDGED], rounds=2)
    total = 2 * loads([*OTHERS, *JUDGED])
    assert total == 2 * (3 * TURNS + 2)
    assert [done for _, done, _ in lab.heard] == list(range(1, total + 1))
    assert {each for *_, each in lab.heard} == {total}


@pytest.mark.parametrize("key", ["nginx", "haproxy"])
@pytest.mark.parametrize("what", ["start", "load"])
def test_what_fails_once_is_tried_again(what: str, key: str) -> None:
    lab = Lab({f"{what} {key}": ["no", "", "", "", "", "", "", "no"]})
    samples, failed = lab.run([*OTHERS, *JUDGED], rounds=2)
    assert failed == {}
    assert {one.peer for one in samples if one.round == 1} == {peer.key for peer in (*OTHERS, *JUDGED)}
    assert f"{key}: no" in [news for news, *_ in lab.heard]


@pytest.mark.parametrize("key", ["nginx", "haproxy"])
@pytest.mark.parametrize("what", ["start", "load", "steady"])
def test_what_fails_again_is_left_out_with_its_reason(what: str, key: str) -> None:
    lab = Lab({f"{what} {key}": ["", "one", "two"] if what == "load" and key == "nginx" else ["one", "two"]})
    samples, failed = lab.run([*OTHERS, *JUDGED], rounds=3)
    assert failed == {key: "two"}
    assert key not in {one.peer for one in samples}
    assert len(samples) == 3 * (loads([*OTHERS, *JUDGED]) - (TURNS if key == "nginx" else 1))
    assert lab.done.count(f"{what} {key}") == (3 if what == "load" and key == "nginx" else 2)


def test_one_kind_alone_has_rounds_too() -> None:
    assert len(Lab().run(OTHERS)[0]) == 2
    assert len(Lab().run(JUDGED)[0]) == 3 * TURNS


def test_all_that_a_target_compares_take_turns() -> None:
    judged = {peer.key for peer in PEERS if peer.judged}
    assert judged == {"nginx", "sidecar", "envoy", "envoy-otel"} | {
        f"sidecar-spans{direction}{ending}" for direction in ("", "-outbound") for ending in ("", "-pure", "-jit")
    }


def test_how_long_it_takes() -> None:
    assert lasts_s(OTHERS, rounds=2, seconds=5.0, warm_up_s=1.0) == 2 * 2 * (3 + 5 + 5)
    assert lasts_s(JUDGED, rounds=1, seconds=5.0, warm_up_s=1.0) == pytest.approx(3 * (3 + 5) + 3 * 1.3 * TURNS)
