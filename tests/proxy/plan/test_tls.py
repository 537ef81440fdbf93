"""TLS towards a target: what a context allows, and when one is kept."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
import trustme

from proxy.plan.tls import TlsContexts, server_context, tls_context
from proxy.settings.sections.section import ListenTlsSettings
from proxy.settings.sections.traffic import TlsSettings


def test_a_context_verifies_and_speaks_nothing_old() -> None:
    context = tls_context(TlsSettings())
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_verification_can_be_switched_off() -> None:
    context = tls_context(TlsSettings(verify=False))
    assert context.verify_mode is ssl.CERT_NONE


def test_a_wrong_ca_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        tls_context(TlsSettings(ca_file=str(tmp_path / "gone")))


def test_equal_settings_share_a_context_over_one_reload_until_the_file_changes(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca)
    contexts = TlsContexts()
    contexts.next_plan()
    first = contexts.get(TlsSettings(ca_file=str(ca)))
    assert contexts.get(TlsSettings(ca_file=str(ca), server_name="other")) is first
    assert contexts.get(TlsSettings(verify=False)) is not first
    contexts.next_plan()
    assert contexts.get(TlsSettings(ca_file=str(ca))) is first
    trustme.CA().cert_pem.write_to_path(ca)
    os.utime(ca, ns=(1, 1))
    contexts.next_plan()
    assert contexts.get(TlsSettings(ca_file=str(ca))) is not first


def test_what_two_plans_did_not_ask_for_is_forgotten() -> None:
    contexts = TlsContexts()
    contexts.next_plan()
    first = contexts.get(TlsSettings(verify=False))
    contexts.next_plan()
    contexts.next_plan()
    assert contexts.get(TlsSettings(verify=False)) is not first


def test_without_a_file_the_systems_certificates_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL's own variable says where they are."""
    trustme.CA(organization_name="System").cert_pem.write_to_path(str(tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    [trusted] = tls_context(TlsSettings()).get_ca_certs()
    assert (("organizationName", "System"),) in trusted["subject"]
    assert tls_context(TlsSettings(verify=False)).get_ca_certs() == []


def test_our_own_certificate_is_read_for_a_target(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        tls_context(TlsSettings(cert_file=str(tmp_path / "gone"), key_file=str(tmp_path / "gone")))


def test_a_server_verifies_its_clients_as_it_is_told_and_shares_its_context(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    files = {"cert_file": str(tmp_path / "own.pem"), "key_file": str(tmp_path / "own.pem")}
    plain = server_context(ListenTlsSettings(**files))
    assert (plain.verify_mode, plain.get_ca_certs()) == (ssl.CERT_NONE, [])
    assert plain.minimum_version is ssl.TLSVersion.TLSv1_2
    contexts = TlsContexts()
    contexts.next_plan()
    for asked, mode in (("optional", ssl.CERT_OPTIONAL), ("required", ssl.CERT_REQUIRED)):
        settings = ListenTlsSettings(**files, client_ca_file=str(tmp_path / "ca.pem"), client_certificates=asked)
        made = contexts.get_server(settings)
        assert (made.verify_mode, len(made.get_ca_certs())) == (mode, 1)
        assert contexts.get_server(settings) is made
        assert contexts.get_server(settings, http2=False) is not made
