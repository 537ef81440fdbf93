"""How context and session are read and written."""

from __future__ import annotations

from typing import Literal

from ops_lib.propagation import FORMATS, SESSION_EXTRACT_NAMES, SESSION_INJECT_NAME, Format
from proxy.settings.kinds import Families, Formats, HeaderName, HeaderNames, OnDefer, ResponseHeader
from proxy.settings.sections.section import Section


class SessionSettings(Section):
    """The session's header names."""

    inject: HeaderName = SESSION_INJECT_NAME
    extract: HeaderNames = SESSION_EXTRACT_NAMES
    bridge: bool = False


class ShadowSettings(Section):
    """Keys of `propagation` as if they were set; None: as they are. Nothing goes out by them."""

    extract: Formats | None = None
    inject: Formats | None = None
    mode: Literal["translate", "participate"] | None = None
    baggage: Literal["translate", "pass", "drop"] | None = None
    on_defer: OnDefer | None = None
    lossless: bool | None = None
    clear: Families | None = None
    carry_over: bool | None = None


class PropagationSettings(Section):
    """How context and session are read and written."""

    extract: Formats = FORMATS
    inject: Formats = (Format.TRACECONTEXT,)
    mode: Literal["auto", "translate", "participate"] = "auto"  # auto: participate if spans are exported
    session: SessionSettings = SessionSettings()
    baggage: Literal["translate", "pass", "drop"] = "translate"
    on_defer: OnDefer = "accept"
    grpc_unsampled: Literal["deny", "defer"] = "deny"  # what a grpc-trace-bin says that is not sampled
    lossless: bool = True
    clear: Families = ()
    carry_over: bool = True
    mirror: bool = False
    shadow: ShadowSettings = ShadowSettings()
    response_header: ResponseHeader = ""  # which tells the caller its trace; empty: none
