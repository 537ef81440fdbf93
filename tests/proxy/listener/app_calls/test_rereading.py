"""What went out is read again: as the translation had it, as far as the app's formats can say it."""

from __future__ import annotations

import pytest

from ops_lib.propagation import FORMATS, Format
from proxy.listener.app_calls.losses import given_by
from proxy.listener.app_calls.rereading import reread
from proxy.plan import PropagationPlan
from proxy.translate import Translator
from proxy.translated import given_to_app, ids_given

T, S = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1"
CAME = [
    (b"traceparent", f"00-{T}-{S}-01".encode()),
    (b"X-Mirascope-Session-Id", b"s-1"),
    (b"baggage", b"k=v"),
    (b"x-datadog-trace-id", b"7"),
]


@pytest.mark.parametrize("formats", [(one,) for one in FORMATS] + [FORMATS, (Format.B3, Format.TRACECONTEXT)])
@pytest.mark.parametrize("came", [CAME, [(b"b3", f"{T[16:]}-{S}-d".encode())], [(b"b3", f"{T}-{S}-0".encode())]])
@pytest.mark.parametrize("mode", ["translate", "participate"])
def test_it_says_what_the_translation_says(
    formats: tuple[Format, ...], came: list[tuple[bytes, bytes]], mode: str
) -> None:
    plan = PropagationPlan(FORMATS, formats, mode=mode)  # type: ignore[arg-type]  # one of two
    made = Translator(plan).translate(came)
    read = reread(plan, made.headers)
    assert ids_given(read) == ids_given(made)
    assert (read.headers, read.session) == (made.headers, made.session)
    assert set(read.injected) == set(made.injected)
    assert given_by(read).session == given_by(made).session
    one, other = given_to_app(read), given_to_app(made)
    assert one.context is not None and other.context is not None
    assert one.context.sampling.is_sampled is other.context.sampling.is_sampled
    assert (one.session, one.baggage is None) == (other.session, other.baggage is None)


def test_it_reads_the_session_under_the_name_that_was_written() -> None:
    plan = PropagationPlan(FORMATS, (Format.B3,), session_inject="X-Session")
    assert reread(plan, Translator(plan).translate(CAME).headers).session == b"s-1"
    silent = PropagationPlan(FORMATS, (Format.B3,), session_inject="")
    assert reread(silent, Translator(silent).translate(CAME).headers).session is None


def test_who_was_told_nothing_gave_nothing() -> None:
    plan = PropagationPlan(FORMATS, (Format.B3,))
    assert (ids_given(reread(plan, [])), reread(plan, []).injected) == ((b"", b""), ())


def test_a_mirrored_app_was_told_in_its_own_format() -> None:
    """Not in the one of the settings."""
    written = Translator(PropagationPlan(FORMATS, (Format.JAEGER,))).translate(CAME).headers
    plan = PropagationPlan(FORMATS, (Format.B3,), mirror=True)
    assert ids_given(reread(plan, written)) == (T.encode(), S.encode())
    assert reread(plan, written).injected == (Format.JAEGER,)
