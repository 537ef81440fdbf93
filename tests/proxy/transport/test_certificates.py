"""The names that a peer's certificate is for."""

from __future__ import annotations

from proxy.transport.certificates import certificate_names


def test_dns_names_and_uris_in_lower_case() -> None:
    alternatives = (("DNS", "Caller.internal"), ("email", "a@b"), ("URI", "spiffe://a/b"))
    certificate = {"subject": ((("commonName", "other"),),), "subjectAltName": alternatives}
    assert certificate_names(certificate) == ("caller.internal", "spiffe://a/b")


def test_the_common_name_where_there_is_no_other() -> None:
    assert certificate_names({"subject": ((("countryName", "NL"),), (("commonName", "Caller"),))}) == ("caller",)


def test_none_without_a_certificate_that_was_verified() -> None:
    assert certificate_names(None) == ()
    assert certificate_names({}) == ()


def test_they_are_bounded() -> None:
    many = tuple(("DNS", f"n{number}") for number in range(1000))
    assert len(certificate_names({"subjectAltName": many})) == 64
    assert certificate_names({"subjectAltName": (("URI", "x" * 1000),)}) == ()


def test_names_at_the_bounds_are_kept() -> None:
    names = tuple(("DNS", f"n{number}") for number in range(65))
    assert certificate_names({"subjectAltName": names})[-1] == "n63"
    kept = certificate_names({"subjectAltName": (("URI", "x" * 512), ("URI", "y" * 513), ("DNS", "z"))})
    assert kept == ("x" * 512, "z")
