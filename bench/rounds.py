"""Who is measured when: rounds of all proxies, so that drift of the machine meets all alike.

May know how one is measured. Must not print tables or judge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench.measure import FAILURES, Bench, Running, Sample, running
from bench.peers import Peer

TURNS = 6  # loads of each proxy that is judged, in a round
TURN_S = 1.0

_MOST_FAILURES = 2  # with as many, a proxy is left out

Progress = Callable[["Sample | str", int, int], None]
"""Hears of every sample and every failure, with how many loads are done and how many there are."""


class Rounds:
    """All that `peers` gave, and which of them failed."""

    def __init__(
        self, bench: Bench, peers: Sequence[Peer], *, rounds: int, seconds: float, warm_up_s: float, progress: Progress
    ) -> None:
        self._bench = bench
        self._rounds = rounds
        self._judged = [peer for peer in peers if peer.judged]
        self._others = [peer for peer in peers if not peer.judged]
        self._seconds = seconds
        self._warm_up_s = warm_up_s
        self._progress = progress
        self._samples: list[Sample] = []
        self._failures: dict[str, list[str]] = {}
        self._done = 0
        self._total = rounds * loads(peers)

    def run(self) -> tuple[list[Sample], dict[str, str]]:
        """The samples, and why proxies were left out.

        In each round, all that are judged take turns, and the others follow one by one; it begins one proxy further.
        """
        for round_ in range(self._rounds):
            self._together(_from(round_, self._judged), round_)
            for peer in _from(round_, self._others):
                self._alone(peer, round_)
        failed = {key: why[-1] for key, why in self._failures.items() if len(why) >= _MOST_FAILURES}
        return [sample for sample in self._samples if sample.peer not in failed], failed

    def _alone(self, peer: Peer, round_: int) -> None:
        self._done += 1
        while self._is_wanted(peer):
            try:
                with running(self._bench, peer, self._warm_up_s) as one:
                    sample = one.load(round_, self._seconds)
                    self._progress(sample, self._done, self._total)
                    self._take(one, [sample])
                    return
            except FAILURES as error:
                self._failed(peer, error)

    def _together(self, peers: Sequence[Peer], round_: int) -> None:
        """They all run at the same time; one has the load, the others wait for their turns."""
        done = self._done + TURNS * len(peers)
        with ExitStack() as stack:
            ready: list[Running] = []
            for peer in peers:
                while self._is_wanted(peer):
                    try:
                        ready.append(stack.enter_context(running(self._bench, peer, self._warm_up_s)))
                        break
                    except FAILURES as error:
                        self._failed(peer, error)
            given: dict[str, list[Sample]] = {one.peer.key: [] for one in ready}
            for turn in range(TURNS):
                for one in ready if turn % 2 == 0 else ready[::-1]:
                    self._done += 1
                    if not self._is_wanted(one.peer):
                        continue
                    try:
                        sample = one.load(round_, TURN_S)
                    except FAILURES as error:
                        self._failed(one.peer, error)
                    else:
                        given[one.peer.key].append(sample)
                        self._progress(sample, self._done, self._total)
            for one in ready:
                try:
                    self._take(one, given[one.peer.key])
                except FAILURES as error:
                    self._failed(one.peer, error)
        self._done = done

    def _is_wanted(self, peer: Peer) -> bool:
        return len(self._failures.get(peer.key, ())) < _MOST_FAILURES

    def _failed(self, peer: Peer, error: Exception) -> None:
        self._failures.setdefault(peer.key, []).append(str(error))
        self._progress(f"{peer.key}: {error}", self._done, self._total)

    def _take(self, one: Running, samples: list[Sample]) -> None:
        if self._is_wanted(one.peer):
            self._samples += one.with_steady(samples, self._seconds)
            self._failures.pop(one.peer.key, None)  # it was a moment's


def loads(peers: Sequence[Peer]) -> int:
    """How many loads a round has."""
    return sum(TURNS if peer.judged else 1 for peer in peers)


def lasts_s(peers: Sequence[Peer], *, rounds: int, seconds: float, warm_up_s: float) -> float:
    """Roughly, how long `rounds` take: of each proxy its start and check, loads, and a constant rate."""
    judged = sum(1 for peer in peers if peer.judged)
    begun_s = len(peers) * (2.0 + warm_up_s + seconds)
    return rounds * (begun_s + judged * TURNS * (TURN_S + 0.3) + (len(peers) - judged) * seconds)


def _from(first: int, peers: Sequence[Peer]) -> list[Peer]:
    """The same, beginning further on."""
    shift = first % len(peers) if peers else 0
    return [*peers[shift:], *peers[:shift]]
