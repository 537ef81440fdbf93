"""The webhook's certificates: an authority of its own, and a server's certificate by it. The time is an argument.

May know cryptography. Must not know where certificates are kept, or who believes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS: Final = 365
SERVER_DAYS: Final = 30
_DUE: Final = 2 / 3  # of a certificate's life: then it is renewed
_SKEW: Final = timedelta(minutes=10)  # between the clocks of machines


class Pair(NamedTuple):
    """A certificate and its key (PEM)."""

    certificate: bytes
    key: bytes


class Certificates(NamedTuple):
    """All of them. `bundle`: the authorities to believe, a former one included while it is valid (PEM)."""

    authority: Pair
    server: Pair
    bundle: bytes


def renewed(before: Certificates | None, names: Sequence[str], now: datetime) -> Certificates:
    """`before`, with what is due made anew; the same value if nothing is. `names`: of the server."""
    if before is None or _is_due(before.authority.certificate, now):
        authority = _make_authority(now)
        old = _valid(before.bundle, now) if before is not None else []
        return Certificates(authority, _issue(authority, names, now), b"".join([authority.certificate, *old]))
    bundle = b"".join(_valid(before.bundle, now))
    server = before.server
    if _is_due(server.certificate, now) or not _is_for(server.certificate, names, before.authority):
        server = _issue(before.authority, names, now)
    return Certificates(before.authority, server, bundle)


def expires(certificate: bytes) -> datetime:
    """When a certificate (PEM) ends."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def _is_due(certificate: bytes, now: datetime) -> bool:
    one = x509.load_pem_x509_certificate(certificate)
    begins, ends = one.not_valid_before_utc, one.not_valid_after_utc
    return now < begins or now >= begins + _DUE * (ends - begins)


def _is_for(certificate: bytes, names: Sequence[str], authority: Pair) -> bool:
    """Whether it has these names, and is by this authority."""
    one, by = (x509.load_pem_x509_certificate(each) for each in (certificate, authority.certificate))
    found = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return one.issuer == by.subject and sorted(found.get_values_for_type(x509.DNSName)) == sorted(names)


def _valid(bundle: bytes, now: datetime) -> list[bytes]:
    """Those of a bundle that have not ended."""
    found = x509.load_pem_x509_certificates(bundle)
    return [one.public_bytes(serialization.Encoding.PEM) for one in found if one.not_valid_after_utc > now]


def _make_authority(now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial number tells it from a former one.
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"ops-sidecar webhook {serial:x}")])
    made = (
        _builder(name, name, key.public_key(), serial, now, AUTHORITY_DAYS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(made.public_bytes(serialization.Encoding.PEM), _pem(key))


def _issue(authority: Pair, names: Sequence[str], now: datetime) -> Pair:
    by = x509.load_pem_x509_certificate(authority.certificate)
    by_key = serialization.load_pem_private_key(authority.key, None)
    assert isinstance(by_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ops-sidecar webhook")])
    made = (
        _builder(subject, by.subject, key.public_key(), x509.random_serial_number(), now, SERVER_DAYS)
        # RFC 5280, 4.2.1.1: it must be there. Python from 3.13 on refuses a certificate without it.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(by_key, hashes.SHA256())
    )
    return Pair(made.public_bytes(serialization.Encoding.PEM), _pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, serial: int, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def now_utc() -> datetime:
    """The time, for callers that have a clock."""
    return datetime.now(UTC)
