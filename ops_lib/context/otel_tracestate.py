"""tracestate between its text and OpenTelemetry's TraceState. Grammar and limits are the heart's."""

from __future__ import annotations

import logging
from collections.abc import ItemsView, Iterator, KeysView, ValuesView

from opentelemetry.trace import TraceState

from ops_lib.propagation.ops_member import KEY, is_ours
from ops_lib.propagation.tracestate import MAX_LENGTH, MAX_MEMBERS, is_member

_log = logging.getLogger("ops_lib")

NO_STATE = TraceState.get_default()


class RawTraceState(TraceState):
    """A tracestate as it came, parsed only on demand.

    So passing it on is cheap.
    OpenTelemetry's parser knows the keys of W3C's level 1, and
    drops the whole list for a key of level 2 (`foo@`, `1a`).
    Here these are ordinary members, and stay when another changes.
    """

    def __init__(self, raw: str) -> None:
        """`raw`: a valid list, without white space around members."""
        self.raw = raw
        self._entries: dict[str, str] | None = None

    @property
    def _members(self) -> dict[str, str]:
        if self._entries is None:
            self._entries = {}
            for member in self.raw.split(",") if self.raw else ():
                key, _, value = member.partition("=")
                self._entries.setdefault(key, value)
        return self._entries

    def __contains__(self, item: object) -> bool:
        return item in self._members

    def __getitem__(self, key: str) -> str:
        return self._members[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"[{self.raw}]"

    def _without(self, key: str) -> str:
        return ",".join(member for member in self.raw.split(",") if not member.startswith(f"{key}="))

    def _with(self, key: str, value: str) -> TraceState:
        others = self._without(key)
        member = f"{key}={value}"
        if not is_member(member) or others.count(",") + 2 > MAX_MEMBERS:
            _log.warning("tracestate: %s cannot be added", key)
            return self
        return RawTraceState(f"{member},{others}" if others else member)

    def add(self, key: str, value: str) -> TraceState:
        """See TraceState: a copy with one more member, in front; an existing key stays unchanged."""
        return self if key in self else self._with(key, value)

    def update(self, key: str, value: str) -> TraceState:
        """See TraceState: a copy with `key` in front, replacing an existing one."""
        return self._with(key, value)

    def delete(self, key: str) -> TraceState:
        """See TraceState."""
        return RawTraceState(self._without(key)) if key in self else self

    def to_header(self) -> str:
        """The text as it came."""
        return self.raw

    def keys(self) -> KeysView[str]:
        """See TraceState."""
        return self._members.keys()

    def items(self) -> ItemsView[str, str]:
        """See TraceState."""
        return self._members.items()

    def values(self) -> ValuesView[str]:
        """See TraceState."""
        return self._members.values()


def state_text(state: TraceState) -> str:
    """The header text of the members that are not ours; the heart writes ours again."""
    if state is NO_STATE:
        return ""
    if isinstance(state, RawTraceState):
        return state.raw
    own = state.get(KEY)
    return (state.delete(KEY) if own is not None and is_ours(own) else state).to_header()


def plain_text(state: TraceState) -> str | None:
    """The header text if it may go out unchanged; None if the heart has to check or cut it."""
    if state is NO_STATE:
        return ""
    if state.__class__ is RawTraceState:
        raw = state.raw
        return raw if len(raw) <= MAX_LENGTH and raw.count(",") < MAX_MEMBERS else None
    return None if state else ""
