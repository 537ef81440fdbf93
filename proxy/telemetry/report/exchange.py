"""A finished exchange as one log record. PURE: values in, bytes out. Hot where a console is told of each exchange.

Parts that many exchanges share are encoded once, and remembered by what they depend on.
All memories are bounded: peers choose hosts, methods and headers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, final

from proxy.telemetry.otlp.attributes import boolean, number, string, strings
from proxy.telemetry.otlp.protobuf import integer
from proxy.telemetry.report.record import ATTRIBUTE, ERROR, EXCHANGE, INFO, WARN, entry, ids, named

_MOST_FIXED: Final = 512
_LONGEST_FIXED: Final = 512  # characters that peers choose, in one key
_MOST_FIELDS: Final = 40  # of ours, on one side
_MOST_NAMES: Final = 60  # of other fields
_LONGEST_NAME: Final = 100  # bytes
_LONGEST_VALUE: Final = 512  # bytes
_MASK: Final = b"***"

Field = tuple[bytes, bytes]


class Shared(NamedTuple):
    """The part of an exchange that many others have, too."""

    is_inbound: bool
    listener: str
    upstream: str
    peer_kind: str
    peer: str
    host: bytes
    method: bytes
    status: int  # 0: none
    fault: str
    read: str  # tokens, joined by commas
    written: str  # formats, joined by commas
    winner: str
    sampling: str
    is_short: bool
    agent: bytes


class Rare(NamedTuple):
    """What few exchanges have."""

    fault_detail: str = ""
    bare: bool = False
    made: bool = False
    lost: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    linked: str = ""
    withheld: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    link: str = ""
    retries: int = 0
    findings: tuple[str, ...] = ()
    request_of: str = ""


NOTHING_RARE: Final = Rare()


class Timing(NamedTuple):
    """Where the time of an exchange went, in seconds. What is left is that of the response's content."""

    queue: float  # waiting for a connection to the upstream
    connect: float  # making one
    head: float  # waiting for the response's head; negative: it never came


@final
class ExchangeEncoder:
    """Encodes exchanges of one sidecar."""

    __slots__ = ("_fixed", "_names")

    def __init__(self) -> None:
        self._fixed: dict[Shared, bytes] = {}
        self._names: dict[tuple[bytes, ...], bytes] = {}

    def encode(
        self,
        shared: Shared,
        rare: Rare,
        *,
        request_id: bytes,
        path: bytes,
        duration_ns: int,
        end_ns: int,
        context: tuple[bytes, bytes, int] | None,
        parent: bytes,
        session: bytes | None,
        came: Sequence[Field],
        went: Sequence[Field],
        others: tuple[bytes, ...],
        added: tuple[bytes, ...],
        timing: Timing | None,
        answered: tuple[bytes, ...],
    ) -> bytes:
        """One entry of ScopeLogs.log_records.

        `context`: trace id, span id (hex digits) and flags of what went out. `parent`: hex digits, empty for none.
        `came` and `went`: trace, session and baggage fields, as read and as written.
        `others`: names of fields that passed; `added`: names of fields that this hop adds.
        `answered`: names of the response's fields.
        """
        fixed = self._fixed.get(shared)
        if fixed is None:
            fixed = _fixed(shared)
            chosen = len(shared.peer) + len(shared.host) + len(shared.method) + len(shared.agent)
            if len(self._fixed) < _MOST_FIXED and chosen <= _LONGEST_FIXED:
                self._fixed[shared] = fixed
        parts = [
            fixed,
            string("ops.request.id", request_id, ATTRIBUTE),
            string("url.path", path, ATTRIBUTE),
            number("ops.duration_us", duration_ns // 1000, ATTRIBUTE),
        ]
        if context is not None:
            parts.append(ids(*context))
        if parent:
            parts.append(string("ops.parent", parent, ATTRIBUTE))
        if session is not None:
            parts.append(string("session.id", session, ATTRIBUTE))
        if came:
            parts.append(strings("ops.headers.in", _shown(came), ATTRIBUTE))
        if went:
            parts.append(strings("ops.headers.out", _shown(went), ATTRIBUTE))
        if others:
            parts.append(self._listed("ops.headers.other", others))
        if added:
            parts.append(self._listed("ops.headers.added", added))
        if answered:
            parts.append(self._listed("ops.headers.response", answered))
        if timing is not None:
            parts.append(_phases(timing))
        if rare is not NOTHING_RARE:
            parts.append(_rare(rare))
        return entry(end_ns - duration_ns, end_ns, b"".join(parts))

    def _listed(self, key: str, names: tuple[bytes, ...]) -> bytes:
        """Names of fields: a client sends the same ones with each request."""
        looked = (key.encode("ascii"), *names)
        known = self._names.get(looked)
        if known is None:
            known = strings(key, [name[:_LONGEST_NAME] for name in names[:_MOST_NAMES]], ATTRIBUTE)
            if len(self._names) < _MOST_FIXED and sum(map(len, names)) <= _LONGEST_FIXED:
                self._names[looked] = known
        return known


def _fixed(shared: Shared) -> bytes:
    trouble = bool(shared.fault) or shared.status >= 500
    odd = "!" in shared.read or "~" in shared.read or shared.status >= 400
    made = integer(2, ERROR if trouble else WARN if odd else INFO) + named(EXCHANGE)
    texts = [
        ("ops.leg", b"in" if shared.is_inbound else b"out"),
        ("ops.listener", shared.listener.encode("utf-8")),
        ("ops.upstream", shared.upstream.encode("utf-8")),
        ("ops.peer.kind", shared.peer_kind.encode("ascii")),
        ("ops.peer", shared.peer.encode("utf-8")),
        ("server.address", shared.host),
        ("http.request.method", shared.method),
        ("ops.fault", shared.fault.encode("ascii")),
        ("ops.winner", shared.winner.encode("ascii")),
        ("ops.sampling", shared.sampling.encode("ascii")),
        ("user_agent.original", shared.agent),
    ]
    made += b"".join([string(key, value, ATTRIBUTE) for key, value in texts if value])
    if shared.status:
        made += number("http.response.status_code", shared.status, ATTRIBUTE)
    if shared.read:
        made += strings("ops.formats.read", [one.encode("ascii") for one in shared.read.split(",")], ATTRIBUTE)
    if shared.written:
        made += strings("ops.formats.written", [one.encode("ascii") for one in shared.written.split(",")], ATTRIBUTE)
    if shared.is_short:
        made += boolean("ops.short", True, ATTRIBUTE)
    return made


def _phases(timing: Timing) -> bytes:
    """In microseconds; a phase that never began is left out."""
    made = number("ops.queue_us", int(timing.queue * 1e6), ATTRIBUTE)
    if timing.connect > 0:
        made += number("ops.connect_us", int(timing.connect * 1e6), ATTRIBUTE)
    if timing.head >= 0:
        made += number("ops.head_us", int(timing.head * 1e6), ATTRIBUTE)
    return made


def _rare(rare: Rare) -> bytes:
    made = b""
    lists = (
        ("ops.lost", rare.lost),
        ("ops.carried", rare.carried),
        ("ops.withheld", rare.withheld),
        ("ops.refused", rare.refused),
        ("ops.findings", rare.findings),
    )
    for key, values in lists:
        if values:
            made += strings(key, [value.encode("utf-8") for value in values], ATTRIBUTE)
    texts = (
        ("ops.fault.detail", rare.fault_detail),
        ("ops.linked", rare.linked),
        ("ops.link", rare.link),
        ("ops.request.of", rare.request_of),
    )
    for key, text in texts:
        if text:
            made += string(key, text.encode("utf-8", "replace"), ATTRIBUTE)
    if rare.bare:
        made += boolean("ops.bare", True, ATTRIBUTE)
    if rare.made:
        made += boolean("ops.made", True, ATTRIBUTE)
    if rare.retries:
        made += number("ops.retries", rare.retries, ATTRIBUTE)
    return made


def _shown(fields: Iterable[Field]) -> list[bytes]:
    """Fields of ours as `Name: value`. Values of baggage are masked: they may hold what a user said."""
    shown = []
    for name, value in fields:
        lowered = name.lower()
        if b"baggage" in lowered or lowered.startswith(b"uberctx-"):
            value = masked(lowered, value)
        shown.append(name[:_LONGEST_NAME] + b": " + value[:_LONGEST_VALUE])
        if len(shown) == _MOST_FIELDS:
            break
    return shown


def masked(name: bytes, value: bytes) -> bytes:
    """The value of a baggage field (`name` in lower case) with its keys alone."""
    if name.startswith(b"uberctx-"):
        return _MASK
    members = [member.partition(b"=")[0].strip() + b"=" + _MASK for member in value[:8192].split(b",")]
    return b",".join(members)
