"""The headers of one request before and after the sidecar, in groups: each with what became of it, and why. PURE.

Both sides were seen. The facts beside them say what headers cannot: what was put back, kept back, or joined.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final, NamedTuple, TypedDict

from ops_lib.propagation import KNOWN_FORMATS, Format, cargo_of, codec_of, family_of
from proxy.explain.names import format_name, formats, listed, loss_name, reason
from proxy.explain.parts import Parts, parts
from proxy.explain.tokens import MALFORMED, OTHER_SPAN, OTHER_TRACE, PASSED, UNREAD, Token
from proxy.explain.tokens import REMOVED as CLEARED

KEPT: Final = "kept"
REWRITTEN: Final = "rewritten"
REMOVED: Final = "removed"
MERGED: Final = "merged"
ADDED: Final = "added"

Header = tuple[str, str]

_METHODS: Final = {
    "header": "a header that both have, with a value that no other request in flight has",
    "process": "the process that holds both connections",
    "single": "only one request was at the app",
}


class Group(TypedDict):
    """Headers that share a fate."""

    verdict: str
    ins: list[Parts]
    outs: list[Parts]
    title: str
    why: list[str]


class Facts(NamedTuple):
    """What is known of a request beside its headers."""

    tokens: tuple[Token, ...] = ()  # what came
    written: tuple[str, ...] = ()  # formats
    winner: str = ""
    sampling: str = ""
    bare: bool = False  # a decision without ids
    has_own_span: bool = False  # the sidecar's span took the caller's place
    lost: tuple[tuple[str, str], ...] = ()  # format and what
    carried: tuple[str, ...] = ()  # what was put back
    linked: str = ""  # the method; "none" if no request was found
    withheld: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    is_restarted: bool = False  # a new trace took the place of what came
    session_names: frozenset[str] = frozenset()


def groups(came: Sequence[Header], went: Sequence[Header], facts: Facts) -> list[Group]:
    """The groups, in this order: the trace, what lost against it, session, baggage, other families."""
    sorted_in, sorted_out = _sorted(came, facts.session_names), _sorted(went, facts.session_names)
    found = [*_trace(sorted_in, sorted_out, facts), *_others(sorted_in, facts)]
    found += _session(sorted_in.session, sorted_out.session, facts)
    found += _baggage(sorted_in.baggage, sorted_out.baggage, facts)
    found += _families(sorted_in, facts)
    return found


class _Sorted(NamedTuple):
    formats: dict[str, list[Header]]
    session: list[Header]
    baggage: list[Header]
    families: dict[str, list[Header]]


def _sorted(headers: Sequence[Header], session_names: Collection[str]) -> _Sorted:
    found = _Sorted({}, [], [], {})
    for name, value in headers:
        lowered = name.lower().replace("_", "-")
        format = next((each for each in KNOWN_FORMATS if lowered in codec_of(Format(each)).names), "")
        cargo = cargo_of(name, frozenset(session_names))
        if format:
            found.formats.setdefault(format, []).append((name, value))
        elif cargo == "session":
            found.session.append((name, value))
        elif cargo == "baggage" and family_of(name) is None:
            found.baggage.append((name, value))
        else:
            found.families.setdefault(family_of(name) or "", []).append((name, value))
    return found


def _made(
    verdict: str,
    ins: Sequence[Header],
    outs: Sequence[Header],
    title: str,
    why: Sequence[str],
    sessions: Collection[str] = (),
) -> Group:
    return {
        "verdict": verdict,
        "ins": [parts(*header, sessions) for header in ins],
        "outs": [parts(*header, sessions) for header in outs],
        "title": title,
        "why": [sentence for sentence in why if sentence],
    }


def _same(ins: Sequence[Header], outs: Sequence[Header]) -> bool:
    return sorted((name.lower(), value) for name, value in ins) == sorted((name.lower(), value) for name, value in outs)


def _trace(came: _Sorted, went: _Sorted, facts: Facts) -> list[Group]:
    """The format that counted, and all that was written of a trace."""
    outs = [header for headers in went.formats.values() for header in headers]
    ins = came.formats.get(facts.winner, []) if facts.winner else []
    if not ins and not outs:
        return []
    why = _why_written(outs, facts)
    if not ins:
        title = (
            "A new trace begins here"
            if not facts.linked or facts.linked == "none"
            else "Joined to a request at the app"
        )
        return [_made(ADDED, [], outs, title, why)]
    winner = format_name(facts.winner)
    if facts.is_restarted:
        return [_made(REWRITTEN, ins, outs, "A new trace: this peer's is not continued", why)]
    if "ids" in facts.refused:
        return [_made(REMOVED, ins, outs, f"{winner} is not believed from this peer", why)]
    if not outs:
        return [_made(REMOVED, ins, [], f"{winner} was read, and nothing was written", why)]
    if facts.bare:
        return [_made(REWRITTEN, ins, outs, f"A bare decision: {facts.sampling or 'none'}", why)]
    if _same(ins, outs):
        return [_made(KEPT, ins, outs, f"{winner} passes as it came", [])]
    others = [token for token in facts.tokens if token.fate in (MALFORMED, OTHER_TRACE, OTHER_SPAN)]
    title = f"{winner} won: the first that is valid" if others else f"{winner} became {formats(facts.written)}"
    if not others and facts.written == (facts.winner,):
        title = f"{winner} stays, with the sidecar's own span" if facts.has_own_span else f"{winner} was written anew"
    return [_made(REWRITTEN, ins, outs, title, why)]


def _why_written(outs: Sequence[Header], facts: Facts) -> list[str]:
    written = formats(facts.written)
    why = []
    if facts.linked and facts.linked != "none":
        why.append(f"The app sent no context. Evidence: {_METHODS.get(facts.linked, facts.linked)}.")
    elif facts.linked == "none":
        why.append("The app sent no context, and nothing shows which request the call belongs to.")
    if outs and facts.winner and not facts.bare:
        span = "the sidecar's own span, with the caller's as its parent" if facts.has_own_span else "same span"
        trace = "a new trace with a link to the one that came" if facts.is_restarted else f"same trace, {span}"
        why.append(f"{written} written from one record: {trace}.")
    if facts.bare and outs:
        why.append("No ids came. Made-up ones carry the decision, marked as such where the format has room.")
    put_back = [what for what in facts.carried if what not in ("session", "baggage")]
    if put_back:
        why.append(f"Put back: {listed(map(_carried, put_back))}. The request of this trace at the app had it.")
    by_format: dict[str, list[str]] = {}
    for format, what in facts.lost:
        if what != "baggage-cut":
            by_format.setdefault(format, []).append(loss_name(what))
    why += [f"{format_name(format)} cannot say {listed(what)}." for format, what in by_format.items()]
    if "trace" in facts.withheld:
        why.append("This host may not get the trace (egress.trace).")
    return why


def _carried(what: str) -> str:
    return {"width": "the 64-bit width", "debug": "the debug flag", "random": "the random flag"}.get(what, what)


def _others(came: _Sorted, facts: Facts) -> list[Group]:
    """The formats that did not count."""
    found = []
    winner = format_name(facts.winner)
    told = set()
    for token in facts.tokens:
        ins = came.formats.get(token.format, [])
        if token.format == facts.winner or not ins or token.format in told:
            continue
        told.add(token.format)
        name = format_name(token.format)
        if token.fate == MALFORMED:
            why = f"{name} is malformed: {reason(token.reason)}. A header that cannot be read is never passed on."
            found.append(_made(REMOVED, ins, [], f"Removed: malformed ({token.reason})", [why]))
        elif token.fate == OTHER_TRACE:
            why = f"{winner} counts. The conflict is counted, and becomes a link on the span where there is one."
            found.append(_made(REMOVED, ins, [], "Removed: of another trace", [why]))
        elif token.fate == OTHER_SPAN:
            why = f"The trace is the same, the caller's span is another: {winner} counts."
            found.append(_made(REMOVED, ins, [], "Removed: of another span", [why]))
        elif token.fate == UNREAD:
            why = f"propagation.extract does not name {token.format}, and one story alone goes on."
            found.append(_made(REMOVED, ins, [], "Removed: not asked for", [why]))
        elif token.is_valid:
            why = f"Exactly one context leaves. What {winner} cannot say was taken from here."
            found.append(_made(MERGED, ins, [], f"Merged: {name} said the same", [why]))
    known = {token.format for token in facts.tokens} | {facts.winner}
    for format, ins in came.formats.items():
        if format not in known:
            found.append(_made(REMOVED, ins, [], f"Removed: {format_name(format)} says nothing", []))
    return found


def _session(ins: list[Header], outs: list[Header], facts: Facts) -> list[Group]:
    if not ins and not outs:
        return []
    made_ = partial(_made, sessions=facts.session_names)
    if not ins:
        why = "The app dropped it; the request of this trace had it." if "session" in facts.carried else ""
        return [made_(ADDED, [], outs, "Session put back" if why else "Session added", [why])]
    if not outs:
        if "session" in facts.withheld:
            return [made_(REMOVED, ins, [], "Session kept back", ["This host may not get it (egress.session)."])]
        if "session" in facts.refused:
            return [made_(REMOVED, ins, [], "Session is not believed from this peer", [])]
        return [made_(REMOVED, ins, [], "Removed: not a session id", ["It has 1 to 256 visible ASCII characters."])]
    if _same(ins, outs):
        return [made_(KEPT, ins, outs, "Session passes", [])]
    is_renamed = {value for _, value in ins} >= {value for _, value in outs}
    return [made_(REWRITTEN, ins, outs, "Session under another name" if is_renamed else "Session rewritten", [])]


def _baggage(ins: list[Header], outs: list[Header], facts: Facts) -> list[Group]:
    if not ins and not outs:
        return []
    if not ins:
        dropped = "The app dropped it; the request of this trace had it." if "baggage" in facts.carried else ""
        return [_made(ADDED, [], outs, "Baggage put back" if dropped else "Baggage added", [dropped])]
    if not outs:
        if "baggage" in facts.withheld:
            return [_made(REMOVED, ins, [], "Baggage kept back", ["This host may not get it (egress.baggage)."])]
        if "baggage" in facts.refused:
            return [_made(REMOVED, ins, [], "Baggage is not believed from this peer", [])]
        return [_made(REMOVED, ins, [], "Baggage removed", [])]
    cut = any(what == "baggage-cut" for _, what in facts.lost)
    cuts = ["Members were cut: for length, or for number."] if cut else []
    if _same(ins, outs):
        return [_made(KEPT, ins, outs, "Baggage passes", cuts)]
    is_jaeger = any(name.lower().startswith("uberctx-") for name, _ in outs)
    if not is_jaeger and {name.lower() for name, _ in ins} == {"baggage"}:
        return [_made(REWRITTEN, ins, outs, "Baggage rewritten", cuts)]
    how = "Jaeger has one uberctx- header for each member." if is_jaeger else "Gathered into W3C baggage."
    return [_made(REWRITTEN, ins, outs, "Baggage translated", [how, *cuts])]


def _families(came: _Sorted, facts: Facts) -> list[Group]:
    passed = {token.format for token in facts.tokens if token.fate == PASSED}
    found = []
    for family, headers in came.families.items():
        name = format_name(family)
        if not family:
            found.append(_made(REMOVED, headers, [], "Removed: could be taken for ours", []))
        elif family in passed:
            why = "This family is not translated: another story passes beside ours."
            found.append(_made(KEPT, headers, headers, f"{name} passes", [why]))
        else:
            found.append(_made(REMOVED, headers, [], f"{name} removed", ["propagation.clear names it."]))
    return found


def _unread(unread: Sequence[str]) -> str:
    return f"{formats(unread)} came, which {'is' if len(unread) == 1 else 'are'} not read here"


def verdict(facts: Facts, groups: Sequence[Group]) -> str:
    """What became of a request's headers, in a sentence or three."""
    words = []
    conflicts = [token.format for token in facts.tokens if token.fate == OTHER_TRACE]
    malformed = [token.format for token in facts.tokens if token.fate == MALFORMED]
    unread, beside, removed = (
        [token.format for token in facts.tokens if token.fate == fate] for fate in (UNREAD, PASSED, CLEARED)
    )
    winner = format_name(facts.winner)
    if facts.linked and facts.linked != "none":
        words.append("The app sent no context; the sidecar joined the call to its request.")
    elif conflicts:
        words.append(f"Two traces came in. {winner} won, {formats(conflicts)} told another.")
    elif "trace" in facts.withheld:
        words.append("The trace was kept back: this host is not on the egress list.")
    elif facts.is_restarted:
        words.append("A new trace begins: this peer's is not continued.")
    elif facts.bare:
        words.append(f"Only a decision came ({facts.sampling or 'none'}), no ids.")
    elif not facts.winner and malformed:
        what = formats(malformed)
        words.append(f"{what} came malformed and was removed.")
        words.append("A new trace begins here." if facts.written else "This request is untraced.")
    elif not facts.winner and not facts.written:
        if unread:
            words.append(f"Untraced: {_unread(unread)}.")
        elif beside:
            words.append(f"Untraced by us: only {formats(beside)} came, and passed.")
        elif removed:
            words.append(f"Untraced: only {formats(removed)} came, and was removed.")
        else:
            words.append("Untraced: no trace came in, and none was added.")
    elif not facts.winner:
        came = _unread(unread) if unread else f"only {formats(beside)} came, and passed" if beside else ""
        came = came or (f"only {formats(removed)} came, and was removed" if removed else "no trace came in")
        words.append(f"{came[0].upper()}{came[1:]}. A new trace begins here.")
    elif not facts.written:
        words.append(f"{winner} came, and no trace went on.")
    elif facts.written == (facts.winner,):
        span = ", with the sidecar's own span" if facts.has_own_span else ""
        words.append(f"{winner} came and {winner} went{span}.")
    else:
        span = "the sidecar's own span" if facts.has_own_span else "same span"
        words.append(f"{winner} in, {formats(facts.written)} out. Same trace, {span}.")
    if facts.carried:
        words.append(f"What the app dropped was put back: {listed(map(_carried, facts.carried))}.")
    lost = list(dict.fromkeys(loss_name(what) for _, what in facts.lost))
    if lost:
        words.append(f"Lost on the way: {listed(lost)}.")
    if not groups and not words:
        return "Nothing of a trace came in or went out."
    return " ".join(words)
