"""What a TLS alert says."""

from __future__ import annotations

import ssl

import pytest

from proxy.transport.alerts import alert_detail, alert_of


def failed(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "it failed")
    error.reason = reason  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("error", "alert"),
    [
        (failed("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "certificate required"),
        (failed("SSLV3_ALERT_HANDSHAKE_FAILURE"), "handshake failure"),
        (failed("TLSV1_ALERT_UNKNOWN_CA"), "unknown ca"),
        (failed("WRONG_VERSION_NUMBER"), ""),
        (failed(None), ""),
        (ConnectionResetError(), ""),
        (None, ""),
    ],
)
def test_only_an_alert_is_one(error: BaseException | None, alert: str) -> None:
    assert alert_of(error) == alert


def test_it_says_what_to_do_where_a_certificate_may_be_missing() -> None:
    assert "tls.cert_file" in alert_detail("certificate required", "a")
    assert alert_detail("internal error", "a") == "a refused us with the TLS alert: internal error"
