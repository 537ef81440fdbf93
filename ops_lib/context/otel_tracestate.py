"""tracestate between its text and OpenTelemetry's TraceState. Grammar and limits are the heart's."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView

from opentelemetry.trace import TraceState

from ops_lib.propagation.ops_member import KEY, is_ours
from ops_lib.propagation.tracestate import MAX_LENGTH, MAX_MEMBERS

NO_STATE = TraceState.get_default()


class RawTraceState(TraceState):
    """A tracestate as it came, parsed by OpenTelemetry only when somebody looks into it.

    So it costs nothing to pass on, and members that OpenTelemetry's parser does not know are not lost.
    """

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self._parsed: TraceState | None = None

    def _full(self) -> TraceState:
        if self._parsed is None:
            self._parsed = TraceState.from_header([self.raw])
        return self._parsed

    def __contains__(self, item: object) -> bool:
        return item in self._full()

    def __getitem__(self, key: str) -> str:
        return self._full()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._full())

    def __len__(self) -> int:
        return len(self._full())

    def __repr__(self) -> str:
        return repr(self._full())

    def add(self, key: str, value: str) -> TraceState:
        """See TraceState."""
        return self._full().add(key, value)

    def update(self, key: str, value: str) -> TraceState:
        """See TraceState."""
        return self._full().update(key, value)

    def delete(self, key: str) -> TraceState:
        """See TraceState."""
        return self._full().delete(key)

    def to_header(self) -> str:
        """The text as it came."""
        return self.raw

    def keys(self) -> KeysView[str]:
        """See TraceState."""
        return self._full().keys()

    def items(self) -> ItemsView[str, str]:
        """See TraceState."""
        return self._full().items()

    def values(self) -> ValuesView[str]:
        """See TraceState."""
        return self._full().values()


def state_text(state: TraceState) -> str:
    """The header text of the members that are not ours (ours is written afresh by the heart)."""
    if state is NO_STATE:
        return ""
    if isinstance(state, RawTraceState):
        return state.raw
    own = state.get(KEY)
    return (state.delete(KEY) if own is not None and is_ours(own) else state).to_header()


def plain_text(state: TraceState) -> str | None:
    """The header text where it may go out as it is; None where the heart has to look at it, or cut it."""
    if state is NO_STATE:
        return ""
    if state.__class__ is RawTraceState:
        raw = state.raw
        return raw if len(raw) <= MAX_LENGTH and raw.count(",") < MAX_MEMBERS else None
    return None if state else ""
