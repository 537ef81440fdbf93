"""Never "safe" while one caller in 100,000 still needs the format, and never across a gap in what was reported.

    python -m gates.migration [--requests N]

Simulated time, real reports. Replicas restart and crash, reports get lost, come twice or late, the console restarts.
After each hour the console is asked. While the caller lives, and 14 days on, no answer may be "safe".
Then comes one gap of each kind: no answer may be "safe" for 14 days more, and after 16 it must be.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from gates.fleet import DAY_S, HOUR_S, Console, Replica, Time, fleet

BOTH = "tracecontext,b3"
ALONE = "b3"
REPLICAS = 4
WINDOW_DAYS = 14
UNNOTICED_S = 3 * HOUR_S  # a sidecar is silent after three intervals
PATIENCE_DAYS = 2  # beyond the window; of a sidecar that vanishes, a day is waited for


class Broken(Exception):
    """The promise is not kept."""


class Story:
    """One run."""

    def __init__(self, time: Time, console: Console, *, per_day: int, one_in: int, seed: int, ask_every: int) -> None:
        """`ask_every`: hours between two questions."""
        self._time = time
        self._console = console
        self._per_hour = max(per_day // 24, 1)
        self._one_in = one_in
        self._ask_every = ask_every
        self._hours = 0
        self._random = random.Random(seed)
        self._replicas = [Replica(time, "orders", f"node-{number}") for number in range(REPLICAS)]
        self._neighbour = Replica(time, "billing", "node-of-billing")
        self._late: list[bytes] = []
        self.requests = 0
        self.needing = 0
        self._unsafe: list[float] = []  # when there was a need, and when each gap ended
        self.asked = 0

    def hour(self, *, lives: bool, troubles: bool) -> object:
        """One hour of requests and reports; then, if it is time, the verdict."""
        for _ in range(self._per_hour):
            replica = self._random.choice(self._replicas)
            self.requests += 1
            if lives and self._random.randrange(self._one_in) == 0:
                replica.request("legacy-batch", ALONE)
                self.needing += 1
                self._unsafe.append(self._time.now_s)
            else:
                replica.request("web", BOTH)
            self._time.now_s += HOUR_S / self._per_hour
        for number, replica in enumerate(self._replicas):
            self._report(number, replica, troubles)
        self._console.take(self._neighbour.report())
        if troubles and self._random.random() < 0.02:
            self._console.restart()
        self._hours += 1
        if self._hours % self._ask_every:
            return None
        return self.ask()

    def ask(self) -> object:
        """The verdict. It is no "safe" within the window of a need or a gap."""
        self.asked += 1
        safe = self._console.verdict("orders", "b3")["safe"]
        for when in self._unsafe if safe is True else ():
            if UNNOTICED_S < self._time.now_s - when < WINDOW_DAYS * DAY_S:
                raise Broken(f"safe {(self._time.now_s - when) / DAY_S:.1f} days after a need or a gap")
        return safe

    def wait(self) -> float:
        """Until it is safe, without any caller in need: so many days after the last need or gap."""
        days = 0.0
        while days < WINDOW_DAYS + PATIENCE_DAYS:
            is_safe = self.hour(lives=False, troubles=False) is True
            days = (self._time.now_s - max(self._unsafe)) / DAY_S
            if is_safe and days >= WINDOW_DAYS:
                return days
        raise Broken("not safe, though nobody needs it any more")

    def crash(self) -> None:
        """Another takes its place. What it saw since its last report, nobody will ever know."""
        self._time.now_s += HOUR_S / 2
        self._replicas[0] = Replica(self._time, "orders", "node-0")
        self._console.take(self._replicas[0].report())
        self._unsafe.append(self._time.now_s)

    def crash_and_be_heard_later(self) -> None:
        """Its last report comes after the first of its successor."""
        self._time.now_s += HOUR_S / 2
        late = self._replicas[0].report()
        self.crash()
        self._console.take(late)

    def lose_a_node(self) -> None:
        """Another takes over elsewhere, under another name."""
        self._time.now_s += HOUR_S / 2
        self._replicas[0] = Replica(self._time, "orders", "node-new")
        self._console.take(self._replicas[0].report())
        self._unsafe.append(self._time.now_s)

    def leave_and_come_back(self) -> None:
        """All say farewell, and nobody serves for a day."""
        for replica in self._replicas:
            self._console.take(replica.report(is_final=True))
        for hour in range(24):
            self._time.now_s += HOUR_S
            self._console.take(self._neighbour.report())
            if self.ask() is True:
                raise Broken(f"safe, though no sidecar serves for {hour + 1} hours")
        self._replicas = [Replica(self._time, "orders", f"node-{number}") for number in range(REPLICAS)]
        for replica in self._replicas:
            self._console.take(replica.report())
        self._unsafe.append(self._time.now_s)

    def deafen(self) -> None:
        """No report at all gets through for six hours."""
        self._time.now_s += 6 * HOUR_S
        for replica in self._replicas:
            self._console.take(replica.report())
        self._unsafe.append(self._time.now_s)

    def silence(self) -> None:
        """One is silent, and vanishes."""
        self._time.now_s += 4 * HOUR_S
        self._replicas.pop()
        for replica in (*self._replicas, self._neighbour):
            self._console.take(replica.report())
        if self.ask() is True:
            raise Broken("safe, though one is silent")
        self._unsafe.append(self._time.now_s)

    def _report(self, number: int, replica: Replica, troubles: bool) -> None:
        chance = self._random.random() if troubles else 1.0
        place = f"node-{number}"
        if chance < 0.01:  # a rollout: it says farewell, another takes its place
            self._console.take(replica.report(is_final=True))
            self._replicas[number] = Replica(self._time, "orders", place)
            self._console.take(self._replicas[number].report())
        elif chance < 0.012:  # a crash: what it saw since its last report, nobody will ever know
            self._replicas[number] = Replica(self._time, "orders", place)
            self._unsafe.append(self._time.now_s)
            self._console.take(self._replicas[number].report())
        elif chance < 0.05:
            replica.report()  # lost on the way
        elif chance < 0.08:
            self._late.append(replica.report())
        else:
            body = replica.report()
            self._console.take(body)
            if chance > 0.95 and troubles:
                self._console.take(body)  # sent again
            while self._late and troubles:
                self._console.take(self._late.pop())


GAPS: dict[str, Callable[[Story], None]] = {
    "a crash": Story.crash,
    "a day without a sidecar": Story.leave_and_come_back,
    "six hours in which the console heard nothing": Story.deafen,
    "a crash, and a late report of the dead": Story.crash_and_be_heard_later,
    "a node that is lost": Story.lose_a_node,
    "a sidecar that fell silent": Story.silence,
}


def run(
    *,
    requests: int,
    one_in: int = 100_000,
    lives_days: int = 21,
    seed: int = 7,
    ask_every: int = 1,
    path: Path | None = None,
) -> list[str]:
    """What went wrong; nothing, if all is well."""
    with fleet(path) as (time, console):
        story = Story(time, console, per_day=requests // lives_days, one_in=one_in, seed=seed, ask_every=ask_every)
        happening = "a caller in need"
        try:
            for _ in range(lives_days * 24):
                story.hour(lives=True, troubles=True)
            days = story.wait()
            print(
                f"{story.requests:,} requests, {story.needing} needed it; asked {story.asked:,} times; "
                f"safe {days:.1f} days after the last need or gap"
            )
            print(console.verdict("orders", "b3")["sentence"])
            for name, happens in GAPS.items():
                happening = name
                happens(story)
                print(f"safe again {story.wait():.1f} days after {name}")
        except Broken as error:
            return [f"{happening}: {error}"]
    return []


def main() -> int:
    """Run at full size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2_400_000, help="while the caller lives (default 2,400,000)")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = run(requests=options.requests, seed=options.seed, path=Path(folder) / "console.db")
    for one in wrong:
        print(f"WRONG: {one}")
    print("FAILED" if wrong else "held")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
