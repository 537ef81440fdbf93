"""Certificates: valid for the API server, renewed in time, and a new authority is believed before it is needed."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from proxy.kubernetes.webhook.certificates import AUTHORITY_DAYS, SERVER_DAYS, Certificates, expires, renewed

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("webhook.ns.svc", "webhook.ns.svc.cluster.local")


def later(before: Certificates | None, days: float, names: tuple[str, ...] = NAMES) -> Certificates:
    return renewed(before, names, START + timedelta(days=days))


def verifies(certificates: Certificates, bundle: bytes) -> bool:
    """Whether an authority of `bundle` has issued the server's certificate."""
    server = x509.load_pem_x509_certificate(certificates.server.certificate)
    for authority in x509.load_pem_x509_certificates(bundle):
        try:
            server.verify_directly_issued_by(authority)
        except Exception:  # another authority
            continue
        return True
    return False


def test_the_first_ones() -> None:
    made = later(None, 0)
    assert made.bundle == made.authority.certificate
    assert verifies(made, made.bundle)
    assert expires(made.server.certificate) == START + timedelta(days=SERVER_DAYS)
    assert expires(made.authority.certificate) == START + timedelta(days=AUTHORITY_DAYS)
    ssl.create_default_context(cadata=made.bundle.decode())  # OpenSSL takes it for an authority's


def test_the_strictest_client_believes_them() -> None:
    """Python from 3.13 on is one: it wants to be told which key has signed (RFC 5280, 4.2.1.1 and 4.2.1.2)."""
    made = later(None, 0)
    store = Store([x509.load_pem_x509_certificate(made.authority.certificate)])
    verifier = PolicyBuilder().store(store).time(START).build_server_verifier(x509.DNSName(NAMES[0]))
    assert len(verifier.verify(x509.load_pem_x509_certificate(made.server.certificate), [])) == 2


def test_what_they_may_be_used_for() -> None:
    """The authority signs servers' certificates and no other authorities; the server's is for TLS, under its names."""
    made = later(None, 0)
    authority = x509.load_pem_x509_certificate(made.authority.certificate).extensions
    server = x509.load_pem_x509_certificate(made.server.certificate).extensions
    limits = [of.get_extension_for_class(x509.BasicConstraints) for of in (authority, server)]
    assert [(one.value.ca, one.value.path_length, one.critical) for one in limits] == [
        (True, 0, True),
        (False, None, True),
    ]
    usages = [of.get_extension_for_class(x509.KeyUsage).value for of in (authority, server)]
    assert [(one.key_cert_sign, one.crl_sign, one.digital_signature) for one in usages] == [
        (True, True, False),
        (False, False, True),
    ]
    for one in usages:
        assert not (one.content_commitment or one.key_encipherment or one.data_encipherment or one.key_agreement)
    assert list(server.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        x509.oid.ExtendedKeyUsageOID.SERVER_AUTH
    ]
    names = server.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == list(NAMES)
    begins = [
        x509.load_pem_x509_certificate(one).not_valid_before_utc
        for one in (made.authority.certificate, made.server.certificate)
    ]
    assert begins == [START - timedelta(minutes=10)] * 2  # between the clocks of machines


def test_nothing_changes_until_two_thirds_of_a_life_are_over() -> None:
    made = later(None, 0)
    assert later(made, 19) == made
    renewed_once = later(made, 21)
    assert renewed_once.server != made.server
    assert renewed_once.authority == made.authority
    assert verifies(renewed_once, made.bundle)


def test_a_new_authority_is_believed_beside_the_old_one_while_that_is_valid() -> None:
    first = later(None, 0)
    second = later(first, 250)
    assert second.authority != first.authority
    assert verifies(second, second.bundle)
    assert verifies(later(first, 240), second.bundle)  # a replica that has not heard of it yet
    assert len(x509.load_pem_x509_certificates(second.bundle)) == 2
    assert later(later(second, 366), 370).bundle == second.authority.certificate


def test_another_name_or_a_clock_that_went_back_makes_new_ones() -> None:
    made = later(None, 100)
    assert later(made, 100, ("other.ns.svc",)).server != made.server
    assert later(made, 0).authority != made.authority
