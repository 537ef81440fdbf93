"""What a sidecar with this plan would do with these headers: whom it believes, what goes out to whom, and why. Pure.

May know the plan and the translators. Nothing is counted, and the requests in flight are not looked at: what they would
add to a call (carry-over, linking) is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from proxy.explain import reading
from proxy.plan import ListenerPlan, Plan, UpstreamPlan
from proxy.plan.participation import FULL_TRUST, CargoPlan, TrustPlan
from proxy.translate import propagator_of
from proxy.translated import FullTranslation
from proxy.translators import Translators

Header = tuple[str, str]
_IDS: Final = {
    "continue": "its trace is continued",
    "restart": "a new trace begins, with a link to the one that came",
    "ignore": "its trace is ignored",
}
_CARGO: Final = ("trace", "session", "baggage")
_UNLISTED: Final = "host.invalid"  # RFC 6761, 6.4; for a request whose host is not known


class Question(NamedTuple):
    """What is asked beside the headers. Empty for anything that is not known."""

    peer: str = ""  # its address
    names: tuple[str, ...] = ()  # in the peer's certificate
    listener: str = ""  # empty: all of them
    host: str = ""  # that an outbound request names
    port: int = 0


class UnknownListenerError(Exception):
    """The plan has no listener of this name; the message says which there are."""


class Leaving(NamedTuple):
    """What goes to one upstream."""

    upstream: str
    target: str  # empty: the host that the request names
    mode: str
    formats: tuple[str, ...]
    reading: dict[str, object]
    allowed: CargoPlan
    refused: tuple[str, ...]
    headers: list[Header]
    foreign: tuple[tuple[str, str], ...]
    withheld: tuple[str, ...]
    losses: list[dict[str, str]]
    sentences: list[str]
    table: list[str]  # as a terminal shows it


class ListenerAnswer(NamedTuple):
    """Of one listener."""

    listener: str
    direction: str
    rule: str  # of trust; empty: none is about the peer
    trust: TrustPlan
    sentence: str
    upstreams: list[Leaving]


def explain(plan: Plan, headers: Sequence[Header], question: Question) -> list[ListenerAnswer]:
    """What each listener would make of a request with `headers`. Raises UnknownListenerError."""
    listeners = [one for one in plan.listeners if question.listener in ("", one.name)]
    if not listeners:
        names = ", ".join(one.name for one in plan.listeners) or "none"
        raise UnknownListenerError(f"there is no listener {question.listener!r}; there are: {names}")
    return [_of_listener(listener, headers, question) for listener in listeners]


def as_json(answers: Sequence[ListenerAnswer]) -> dict[str, object]:
    """The answers as JSON can say them."""
    return {
        "listeners": [
            {
                "listener": answer.listener,
                "direction": answer.direction,
                "trust": {
                    "rule": answer.rule or None,
                    "ids": answer.trust.ids,
                    "decision": answer.trust.decision,
                    "baggage": answer.trust.baggage,
                    "session": answer.trust.session,
                    "sentence": answer.sentence,
                },
                "upstreams": [_leaving_json(one) for one in answer.upstreams],
            }
            for answer in answers
        ]
    }


def _leaving_json(one: Leaving) -> dict[str, object]:
    return {
        "upstream": one.upstream,
        "target": one.target or None,
        "mode": one.mode,
        "formats": list(one.formats),
        "read": one.reading,
        "not_believed": list(one.refused),
        "headers": [list(header) for header in one.headers],
        "foreign": [{"family": family, "what": what} for family, what in one.foreign],
        "egress": {cargo: getattr(one.allowed, cargo) for cargo in _CARGO},
        "kept_back": list(one.withheld),
        "losses": one.losses,
        "sentences": one.sentences,
    }


def as_text(answers: Sequence[ListenerAnswer]) -> str:
    """The answers for a terminal of 80 columns."""
    lines: list[str] = []
    for answer in answers:
        lines += ["", f"listener {answer.listener}: {answer.sentence}"]
        before: list[str] = []
        for one in answer.upstreams:
            if one.table != before:
                lines += ["", "read, in this order:", *one.table]
                before = one.table
            lines += ["", f"to {one.upstream} ({one.target or 'the host that the request names'}):"]
            lines += [f"  {sentence}" for sentence in one.sentences]
            lines += reading.written_lines(one.headers)
    return reading.page(lines[1:])


def _of_listener(listener: ListenerPlan, headers: Sequence[Header], question: Question) -> ListenerAnswer:
    translators = Translators(listener, None, lambda: 0.0)
    number = translators.rules.rule_of(question.peer, question.names)
    trust, rule = translators.rules.plans[number], translators.rules.names[number]
    return ListenerAnswer(
        listener.name,
        listener.direction,
        rule,
        trust,
        _trusted(listener, question, rule, trust),
        [_leaving(translators, upstream, number, headers, question) for upstream in _upstreams(listener, question)],
    )


def _upstreams(listener: ListenerPlan, question: Question) -> tuple[UpstreamPlan, ...]:
    if question.host and not listener.fixed_upstream:
        return (listener.router.route(question.host, question.port),)
    return listener.router.upstreams()


def _leaving(
    translators: Translators, upstream: UpstreamPlan, rule: int, headers: Sequence[Header], question: Question
) -> Leaving:
    allowed = translators.allowed(upstream, question.host or _UNLISTED, question.port)
    translator = translators.of(upstream, allowed)[rule]
    raw = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers]
    ours = [header for header in raw if translator.owns(header[0])]
    made = translator.translate_entirely(ours)
    plan = upstream.propagation
    propagator = propagator_of(plan, "translate" if plan.baggage == "pass" else plan.baggage)
    came = propagator.extract(propagator.fields(headers))
    removed = [family for family, what in made.foreign if what == "removed"]
    return Leaving(
        upstream=upstream.name,
        target="" if upstream.target is None else f"{upstream.target.scheme}://{upstream.target.authority}",
        mode=plan.mode,
        formats=tuple(plan.inject),
        reading=reading.read_json(headers, came, propagator, removed),
        allowed=allowed,
        refused=made.refused,
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in made.headers],
        foreign=made.foreign,
        withheld=made.withheld,
        losses=reading.losses_json(made.losses),
        sentences=list(_sentences(upstream, allowed, made, question)),
        table=reading.read_lines(headers, came, propagator, removed),
    )


def _trusted(listener: ListenerPlan, question: Question, rule: str, trust: TrustPlan) -> str:
    peer = question.peer or (question.names[0] if question.names else "a peer that is not named")
    if not rule:
        if not listener.trust:
            return f"{peer} is believed, since no rule of trust is about this listener"
        return f"{peer} is believed, since none of the {len(listener.trust)} rules of trust is about it"
    if trust == FULL_TRUST:
        return f"{peer} is believed by rule {rule} of trust"
    names = (("decision", trust.decision), ("baggage", trust.baggage), ("session", trust.session))
    refused = [name for name, is_believed in names if not is_believed]
    rest = f"; its {_list(refused)} {'does' if len(refused) == 1 else 'do'} not count" if refused else ""
    return f"rule {rule} of trust is about {peer}: {_IDS[trust.ids]}{rest}"


def _sentences(upstream: UpstreamPlan, allowed: CargoPlan, made: FullTranslation, question: Question) -> Iterator[str]:
    plan = upstream.propagation
    if plan.mode == "participate":
        yield f"writes {_list(plan.inject)}, with a span of its own, whose id is new for each request"
    else:
        yield f"writes {_list(plan.inject)}"
    if plan.mirror:
        yield "or, once the peer was seen to speak other formats, those"
    if made.refused:
        yield f"not believed: {_list(made.refused)}"
    barred = [cargo for cargo in _CARGO if not getattr(allowed, cargo)]
    if barred:
        host = upstream.target.authority if upstream.target is not None else question.host
        keys = _list([f"egress.{cargo}" for cargo in barred])
        if not host:
            yield f"as to a host that is not in {keys}; name a host to see what leaves for it"
        elif made.withheld:
            yield f"kept back: {_list(made.withheld)}; {host} is not in {keys}"
        else:
            yield f"{_list(barred)} would be kept back; {host} is not in {keys}"
    for family, what in made.foreign:
        yield f"headers of {family} are {what}"
    for line in reading.lost_lines(made.losses) if made.losses else ():
        yield f"lost: {line.strip()}"


def _list(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
