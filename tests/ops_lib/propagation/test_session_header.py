"""Which header may carry the session id."""

from __future__ import annotations

import pytest

from ops_lib.propagation import (
    KNOWN_FORMATS,
    SESSION_EXTRACT_NAMES,
    SESSION_INJECT_NAME,
    Propagator,
    check_session_header,
)
from ops_lib.propagation.carrier import known_names

NAMES_OF_FORMATS = sorted(known_names(()))


@pytest.mark.parametrize("name", [SESSION_INJECT_NAME, *SESSION_EXTRACT_NAMES, "X-Tenant", "sid", "a" * 256])
def test_a_header_of_its_own_may(name: str) -> None:
    assert check_session_header(name) == name


@pytest.mark.parametrize("name", ["", "a b", "a:b", "ü", "a\n", "a" * 257])
def test_what_is_not_a_header_name_may_not(name: str) -> None:
    with pytest.raises(ValueError, match="expected a header name"):
        check_session_header(name)


@pytest.mark.parametrize(
    "name",
    [
        *NAMES_OF_FORMATS,
        *("X-Datadog-Trace-Id", "sentry-trace", "X_Amzn_Trace_Id"),
        *("uberctx-sid", "X-B3-Anything", "X_B3_TraceId"),
        *("Authorization", "authorization", "Cookie", "Host", "Content-Length", "CONTENT_LENGTH", "Transfer-Encoding"),
        *("User-Agent", "If-Match", "Accept", "Accept-Encoding", "X-Forwarded-For", "X_Forwarded_For", "Via", "Origin"),
        *("Age", "Allow", "Alt-Svc", "Cache-Control", "Connection", "Date", "ETag", "Expect", "Expires", "Forwarded"),
        *("From", "HTTP2-Settings", "Keep-Alive", "Last-Modified", "Location", "Max-Forwards", "Pragma", "Priority"),
        *("Range", "Referer", "Retry-After", "Server", "Set-Cookie", "TE", "Trailer", "Upgrade", "Vary"),
        *("WWW-Authenticate", "X-Real-IP"),
    ],
)
def test_a_header_with_a_meaning_of_its_own_may_not(name: str) -> None:
    with pytest.raises(ValueError, match="another name"):
        check_session_header(name)


@pytest.mark.parametrize("name", NAMES_OF_FORMATS)
def test_no_header_that_a_format_owns_may(name: str) -> None:
    """The two rules, which one clears and which one may carry, never meet."""
    assert Propagator(extract=KNOWN_FORMATS, session_inject="", session_extract=()).owns(name)
