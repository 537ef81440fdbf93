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


@pytest.mark.parametrize(
    "alert", ["handshake failure", "certificate required", "bad certificate", "unknown ca", "certificate unknown"]
)
def test_each_alert_with_which_a_server_asks_for_a_certificate(alert: str) -> None:
    """RFC 8446, 6.2."""
    said = f"a refused us with the TLS alert: {alert}; it may ask for a client certificate (tls.cert_file)"
    assert alert_detail(alert, "a") == said


@pytest.mark.parametrize("version", ["SSLV3", "TLSV1", "TLSV13"])
def test_each_name_that_openssl_gives_an_alert(version: str) -> None:
    assert alert_of(failed(f"{version}_ALERT_NO_RENEGOTIATION")) == "no renegotiation"
    assert alert_of(failed(f"X{version}_ALERT_A")) == alert_of(failed(f"{version}_ALERT_A\n")) == ""
