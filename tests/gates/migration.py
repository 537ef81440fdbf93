"""Never "safe" while one caller in 100,000 still needs the format, and never across a gap in what was reported.

    python -m gates.migration [--requests N]

Simulated time, real reports. Replicas restart and crash, reports get lost, come twice or late, the console restarts.
After each hour the console is asked. While the caller lives, and 14 days on, no answer may be "safe".
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from gates.fleet import DAY_S, HOUR_S, Console, Replica, Time, fleet

BOTH = "tracecontext,b3"
ALONE = "b3"
REPLICAS = 4
WINDOW_DAYS = 14


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
        self._late: list[bytes] = []
        self.requests = 0
        self.needing = 0
        self.last_need_s = 0.0
        self.last_gap_s = 0.0
        self.asked = 0

    def hour(self, *, lives: bool, troubles: bool) -> str:
        """One hour of requests and reports; then, if it is time, the verdict."""
        for _ in range(self._per_hour):
            replica = self._random.choice(self._replicas)
            self.requests += 1
            if lives and self._random.randrange(self._one_in) == 0:
                replica.request("legacy-batch", ALONE)
                self.needing += 1
                self.last_need_s = self._time.now_s
            else:
                replica.request("web", BOTH)
            self._time.now_s += HOUR_S / self._per_hour
        for number, replica in enumerate(self._replicas):
            self._report(number, replica, troubles)
        if troubles and self._random.random() < 0.02:
            self._console.restart()
        self._hours += 1
        if self._hours % self._ask_every:
            return "not asked"
        self.asked += 1
        return str(self._console.verdict("orders", "b3")["safe"])

    def _report(self, number: int, replica: Replica, troubles: bool) -> None:
        chance = self._random.random() if troubles else 1.0
        place = f"node-{number}"
        if chance < 0.01:  # a rollout: it says farewell, another takes its place
            self._console.take(replica.report(is_final=True))
            self._replicas[number] = Replica(self._time, "orders", place)
            self._console.take(self._replicas[number].report())
        elif chance < 0.012:  # a crash: what it saw since its last report, nobody will ever know
            self._replicas[number] = Replica(self._time, "orders", place)
            self.last_gap_s = self._time.now_s
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
    wrong: list[str] = []
    with fleet(path) as (time, console):
        story = Story(time, console, per_day=requests // lives_days, one_in=one_in, seed=seed, ask_every=ask_every)
        for hour in range(lives_days * 24):
            if story.hour(lives=True, troubles=True) == "True" and story.needing:
                wrong.append(f"safe in hour {hour}, though {story.needing} of {story.requests} requests needed it")
                break
        died_s = time.now_s
        first_safe_s = 0.0
        for _ in range((WINDOW_DAYS + 3) * 24):
            is_safe = story.hour(lives=False, troubles=False) == "True"
            since_s = time.now_s - max(story.last_need_s, story.last_gap_s)
            if is_safe and since_s < WINDOW_DAYS * DAY_S:
                wrong.append(f"safe {since_s / DAY_S:.1f} days after the last need or gap")
                break
            if is_safe and not first_safe_s:
                first_safe_s = time.now_s
        if not wrong and not first_safe_s:
            wrong.append("never safe, though nobody needs it any more")
        total = console.ask()
        print(
            f"{story.requests:,} requests, {story.needing} needed it; asked {story.asked:,} times; "
            f"safe {(first_safe_s - died_s) / DAY_S:.1f} days after the caller's end"
        )
        print(console.verdict("orders", "b3")["sentence"])
        if total["gap"]:
            print(total["gap"])
        # A sidecar that falls silent takes the verdict back.
        time.now_s += 4 * HOUR_S
        for replica in story._replicas[1:]:
            console.take(replica.report())
        if console.verdict("orders", "b3")["safe"] is True:
            wrong.append("safe, though a sidecar is silent")
    return wrong


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
