"""Since when everything is known of a service, without a gap. "None of all requests" may be said of no longer time.

It reaches back to the first report, or to the end of the last gap. A sidecar that is silent now ends it;
after a day of silence it counts as gone, and that day is a gap. A service without any sidecar now is one great gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from proxy.console.store.reader import Reader
from proxy.console.store.senders import EVERYWHERE, NOBODY, RUNNING, SILENT, WITHOUT_NS, given_up_ns, patience_ns

_MOST: Final = 2_000
_MOST_SIDECARS: Final = 5_000
_MS: Final = 1_000_000


class Coverage(NamedTuple):
    """Of one service. Times in ms."""

    since: int  # everything is known from here on
    why: str  # what lies before: a clause; empty: the first report
    silent: tuple[str, ...]  # sidecars of which nothing is heard now
    silent_since: int
    gone: tuple[str, ...] = ()  # sidecars that were silent for so long that nobody waits for them


class Known:
    """What is known of all services, at one moment."""

    def __init__(self, reader: Reader, now_ns: int) -> None:
        clock = reader.one("SELECT created, heard FROM report_clock") or (now_ns, now_ns)
        self._created = clock[0]
        self._first: dict[str, int] = dict(reader.all("SELECT service, since FROM reporting LIMIT ?", (_MOST,)))
        self._gaps: defaultdict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for service, started, ended, why in reader.all(
            "SELECT service, started, ended, why FROM gaps ORDER BY ended DESC LIMIT ?", (_MOST,)
        ):
            self._gaps[service].append((started, ended, why))
        self._silent: dict[str, list[tuple[str, int]]] = {}
        self._gone: dict[str, list[str]] = {}
        running = reader.all(
            "SELECT service, name, host, instance, seen, interval_ms FROM sidecars WHERE ended = ? AND number > 0 "
            "ORDER BY seen LIMIT ?",
            (RUNNING, _MOST_SIDECARS),
        )
        reporting: set[str] = set()
        for service, name, host, instance, seen, interval_ms in running:
            shown = name if name != instance else f"{host or service}-{instance[:6]}"
            if now_ns - seen > given_up_ns(interval_ms):
                self._gone.setdefault(service, []).append(shown)
                self._gaps[service].append((seen, seen + given_up_ns(interval_ms), SILENT))
                continue
            reporting.add(service)
            if now_ns - seen > patience_ns(interval_ms):
                self._silent.setdefault(service, []).append((shown, seen))
        self._left: dict[str, int] = {}
        last: dict[str, int] = dict(
            reader.all("SELECT service, max(seen) FROM sidecars WHERE number > 0 GROUP BY service LIMIT ?", (_MOST,))
        )
        for service in self._first:
            seen = last.get(service, 0)  # none has that name: it is forgotten, or has another name since a reload
            if service not in reporting and now_ns - seen > WITHOUT_NS:
                self._gaps[service].append((seen, now_ns, NOBODY))
                self._left[service] = seen

    @property
    def services(self) -> Sequence[str]:
        """All that have ever reported their counters."""
        return sorted(self._first)

    @property
    def silent(self) -> list[str]:
        """All sidecars of which nothing is heard now."""
        return [name for one in self._silent.values() for name, _ in one]

    def of(self, service: str) -> Coverage:
        """`service` has reported."""
        since, why = max(self._first[service], self._created), ""
        for who in (EVERYWHERE, service):
            for started, ended, reason in self._gaps.get(who, ()):
                if ended > since and ended > started:
                    since = ended
                    why = reason if who == EVERYWHERE else f"a sidecar of {service} {reason}"
                    if reason.startswith("had no"):
                        why = f"{service} {reason}"
        silent = self._silent.get(service, [])
        return Coverage(
            since // _MS,
            why,
            tuple(name for name, _ in silent),
            min((seen for _, seen in silent), default=0) // _MS,
            tuple(self._gone.get(service, ())),
        )

    def gap(self, from_ms: int) -> str | None:
        """What keeps verdicts from reaching back to `from_ms`, in a sentence; None: nothing.

        A service that left before then is not told: it has no requests of which anything could be said.
        """
        silent = self.silent
        if silent:
            more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
            verb = "is" if len(silent) == 1 else "are"
            return f"{', '.join(silent[:3])}{more} {verb} silent. Nothing is safe there until they report again."
        there = [one for one in self.services if self._left.get(one, from_ms * _MS) >= from_ms * _MS]
        late = [one for one in there if self.of(one).since > from_ms]
        if not late:
            return None
        more = f" and {len(late) - 3} more" if len(late) > 3 else ""
        return f"Reports do not reach back far enough yet at {', '.join(late[:3])}{more}."
