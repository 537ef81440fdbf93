"""The propagator in force for this process, and the functions that use it.

May know: ContextPropagator, the Context, sessions. Must not know any header's name or form.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from opentelemetry.context import Context

from ops_lib.context.current import Attached, current
from ops_lib.context.sessions import session_id_of
from ops_lib.headers.context_propagator import ContextPropagator
from ops_lib.propagation import Carrier, MutableCarrier

_propagator: ContextPropagator | None = None  # made from the environment when first needed


def get_propagator() -> ContextPropagator:
    """The propagator in force.

    Takes: nothing.
    Gives: the one that `set_propagator` or `configure` has set, or else one made from the environment (see
    ContextPropagator) and kept.
    Raises: ValueError when the environment names an unknown format.
    Specification: OpenTelemetry "Propagators API", global propagators.
    """
    global _propagator
    if _propagator is None:
        _propagator = ContextPropagator()
    return _propagator


def chosen_propagator() -> ContextPropagator | None:
    """The propagator in force; None if the next use would make one from the environment. For `set_propagator`."""
    return _propagator


def check_propagator() -> None:
    """Raises ValueError if `get_propagator` would; keeps nothing."""
    if _propagator is None:
        ContextPropagator()


def set_propagator(propagator: ContextPropagator | None) -> None:
    """Put a propagator in force for this process.

    Takes: a ContextPropagator, or None to have it made from the environment again.
    Gives: nothing.
    Raises: nothing.
    Specification: OpenTelemetry "Propagators API", Set Global Propagator (ours alone is set).
    """
    global _propagator
    _propagator = propagator


def reset_propagator() -> None:
    """Forget the propagator in force; the next use makes one from the environment.

    Takes: nothing. Gives: nothing. Raises: nothing. Specification: none; the same as `set_propagator(None)`.
    """
    set_propagator(None)


def extract_context(carrier: Carrier | None, *, context: Context | None = None) -> Context:
    """The contents of headers as an OpenTelemetry Context.

    Takes:

    - `carrier`: a mapping of any letter case with `str`, `bytes` or lists as values, a multidict, or a list of pairs of
      `str` or `bytes` (ASGI). None: no headers.
    - `context`: the Context to build on. Default: an empty one, so that nothing of the current one gets in.

    Gives: a Context with the caller's span (a remote NonRecordingSpan), session and baggage, as far as the headers have
    them; for `propagated_context(parent=...)` or any OpenTelemetry function.
    Raises: ValueError when the environment names an unknown format; never because of the headers.
    Specification: docs/formats.md; W3C Trace Context level 2, B3, Jaeger, W3C Baggage.
    """
    return get_propagator().extract_context(carrier, context)


def inject_context(carrier: MutableCarrier, *, context: Context | None = None) -> None:
    """Write the trace, the session and the baggage in force into the headers of an outgoing message.

    Takes:

    - `carrier`: a mutable mapping or a list of pairs, changed in place.
      An entry that differs only in case is replaced, and stale trace headers of any format are removed.
    - `context`: its values are written. Default: the current one.

    Gives: nothing.
    Raises: ValueError when the environment names an unknown format; nothing else.
    Specification: docs/formats.md "Who wins"; W3C Trace Context level 2, B3, Jaeger, W3C Baggage.
    """
    get_propagator().inject_context(carrier, context)


def extract_session_id(headers: Carrier | None) -> str | None:
    """The session id that headers carry.

    Takes: `headers` in any form that `extract_context` takes.
    Gives: the id, or None if there is none or a malformed one.
    Raises: ValueError when the environment names an unknown format; never because of the headers.
    Specification: docs/formats.md "Session".
    """
    return session_id_of(get_propagator().extract_context(headers))


_NO_HEADERS: Final = MappingProxyType[str, str]({})


def propagated_context(*, parent: Context | None = None, extract_from: Carrier | None = _NO_HEADERS) -> Attached:
    """Continue the caller's trace, session and baggage for a `with` or `async with` block.

    Takes: exactly one of the two.

    - `extract_from`: headers in any form that `extract_context` takes, put over the Context in force.
      Values that they do not have stay. None counts as no headers, as some clients pass it.
    - `parent`: a Context as `extract_context` gives, put in force as it is.

    Gives: a context manager whose value is the Context in force within.
    It ends with the block, on exceptions too.
    Raises: ValueError when both or neither are given, or when the environment names an unknown format; TypeError when
    `parent` is not a Context.
    Specification: docs/formats.md; OpenTelemetry Context API, attach and detach.
    """
    if parent is not None and extract_from is not _NO_HEADERS and extract_from is not None:
        raise ValueError("propagated_context takes either parent or extract_from, not both")
    if parent is not None:
        if not isinstance(parent, Context):
            told = f"parent is a Context, as extract_context gives it, not {type(parent).__name__}"  # type: ignore[unreachable]  # not everyone has a type checker
            raise TypeError(f"{told}; headers are extract_from")
        return Attached(lambda: parent)
    if extract_from is _NO_HEADERS:
        raise ValueError("propagated_context needs parent (a Context) or extract_from (headers)")
    propagator = get_propagator()
    return Attached(lambda: propagator.extract_context(extract_from, current()))
