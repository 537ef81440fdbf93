"""What must hold between keys."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from proxy.errors import SettingsError
from proxy.settings import load


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "f.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        load(file, environ={})
    except SettingsError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "inbound: {listen: '127.0.0.1:9081'}",
            "outbound.listen = 127.0.0.1:9081 (from default): the same address as inbound",
        ),
        ("inbound: {listen: '0.0.0.0:9081'}", "the same address"),
        ("inbound: {listen: ['0.0.0.0:1', '127.0.0.1:1']}", "the same address as inbound.listen"),
        ("inbound: {listen: ['127.0.0.1:1', '[::1]:9082']}\nadmin: {listen: '[::1]:9082'}", "the same address"),
        ("inbound: {listen: ['127.0.0.1:1', '127.0.0.2:1'], app: 'http://127.0.0.2:1'}", "would loop"),
        ("inbound: {listen: '[::]:1'}\noutbound: {listen: '[::1]:1'}", "the same address"),
        ("inbound: {listen: 'localhost:1'}\noutbound: {listen: '127.0.0.1:1'}", "the same address"),
        ("inbound: {listen: '[::1]:1'}\noutbound: {listen: 'localhost:1'}", "the same address"),
        ("inbound: {listen: 'unix:/a'}\noutbound: {listen: 'unix:/a'}", "the same address"),
        ("inbound: {listen: off}\noutbound: {listen: off}", "every listener is off"),
        ("upstreams: [{name: a, match: a}, {name: A, match: b}]", "the same name"),
        ("upstreams: [{name: app, match: a}]", "is reserved"),
        ("upstreams: [{name: 'a b', match: a}]", "letters, digits"),
        ("upstreams: [{name: a, match: [X, x]}]", "has this pattern already"),
        ("upstreams: [{name: a, match: x}, {name: b, match: x}]", "upstream a has this pattern already"),
        ("upstreams: [{name: a}]", "no request comes here"),
        (
            "outbound: {transparent: true}\nforwarding: {via: false}",
            "forwarding.via = false (from FILE:2): outbound.transparent finds loops by Via: use auto or true",
        ),
        (
            "outbound:\n  transparent: true\n  forwarding: {via: false}\nforwarding: {via: true}",
            "outbound.forwarding.via = false (from FILE:3): outbound.transparent finds loops by Via: use auto or true",
        ),
        (
            "inbound: {listen: off}\noutbound: {listen: off}\nadmin: {public_listen: '0.0.0.0:1'}",
            "every listener is off",
        ),
        ("admin: {public_listen: '0.0.0.0:9082'}", "the same address as admin.listen"),
        ("upstreams: [{name: a, listen: '127.0.0.1:1'}]", "needs `target`"),
        ("upstreams: [{name: a, match: a, host: target}]", "needs `target`"),
        ("inbound: {app: 'http://127.0.0.1:9080'}", "own listener inbound.listen"),
        ("inbound: {app: 'http://localhost:9082'}", "own listener admin.listen"),
        ("inbound: {app: 'http://127.0.0.2:9080'}", "own listener inbound.listen"),
        ("inbound: {app: 'http://0.0.0.0:9081'}", "own listener outbound.listen"),
        ("inbound: {listen: 'unix:/a', app: 'unix:/a'}", "own listener"),
        ("upstreams: [{name: a, match: a, target: 'http://127.0.0.1:9081'}]", "own listener outbound.listen"),
        ("upstreams: [{name: a, match: a, target: 'http://169.254.169.254'}]", "169.254.0.0/16 is denied"),
        ("outbound: {deny: b.c}\nupstreams: [{name: a, match: a, target: 'http://b.c'}]", "b.c is denied"),
        ("upstreams: [{name: a, match: a, target: 'http://a', tls: {verify: false}}]", "only an https target has TLS"),
        ("upstreams: [{name: a, match: a, tls: {verify: false}}]", "only an https target has TLS"),
        ("upstreams: [{name: a, match: a, target: 'https://a', tls: {ca_file: /gone}}]", "cannot read the file"),
        ("inbound: {app: 'https://a', tls: {ca_file: /gone}}", "inbound.tls.ca_file = /gone"),
        ("inbound: {listen_tls: {key_file: /k}}", "no TLS without a certificate: set cert_file"),
        ("inbound: {listen_tls: {client_certificates: required}}", "no TLS without a certificate: set cert_file"),
        ("inbound: {listen_tls: {cert_file: /gone}}", "cannot read the file"),
    ],
)
def test_a_contradiction_is_named(tmp_path: Path, text: str, words: str) -> None:
    found = problems(tmp_path, text)
    assert len(found) == 1, found
    assert words in found[0].replace(str(tmp_path / "f.yaml"), "FILE")


@pytest.mark.parametrize(
    "text",
    [
        "inbound: {listen: '127.0.0.1:0'}\noutbound: {listen: '127.0.0.1:0'}",
        "inbound: {listen: '127.0.0.1:1'}\noutbound: {listen: '127.0.0.2:1'}",
        "inbound: {listen: '127.0.0.1:1'}\noutbound: {listen: '[::1]:1'}",
        "inbound: {listen: off, app: 'http://127.0.0.1:9080'}",
        "inbound: {app: 'http://10.0.0.1:9080'}",
        "upstreams: [{name: a, match: a, target: 'http://127.0.0.1:9080'}]",  # the app calls itself
        "inbound: {listen: '127.0.0.1:1', app: 'http://127.0.0.2:1'}",
        "inbound: {listen: '0.0.0.0:1'}\noutbound: {listen: '[::]:1'}",
        "admin: {listen: off}",
        "upstreams: [{name: a, match: ['x', 'x:80', '*.x', '10.0.0.0/8']}]",
        "upstreams: [{name: a, match: a, target: 'https://a'}]",
    ],
)
def test_what_is_no_contradiction_passes(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == []


def test_a_certificate_file_is_read(tmp_path: Path) -> None:
    good, bad = tmp_path / "ca.pem", tmp_path / "bad.pem"
    trustme.CA().cert_pem.write_to_path(good)
    bad.write_text("no certificate", encoding="utf-8")

    def using(path: Path, more: str = "") -> list[str]:
        return problems(tmp_path, f"inbound: {{app: 'https://a', tls: {{ca_file: '{path}'{more}}}}}")

    assert using(good) == []
    assert "no certificate in PEM form" in using(bad)[0]
    assert "unused while verify is false" in using(good, ", verify: false")[0]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        # With inbound.listen left at its default the app would be the sidecar itself; but inbound.listen is not known.
        ("inbound: {listen: nonsense, app: 'http://127.0.0.1:9080'}", "inbound.listen"),
        (
            "outbound: {transparent: true, forwarding: {via: nonsense}}\nforwarding: {via: false}",
            "outbound.forwarding.via",
        ),
    ],
)
def test_a_key_that_is_wrong_by_itself_causes_no_second_problem(tmp_path: Path, text: str, key: str) -> None:
    found = problems(tmp_path, text)
    assert len(found) == 1, found
    assert found[0].startswith(key)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("client_certificates: optional", "client_ca_file: set it"),
        ("client_ca_file: FILE", "never used while client_certificates is off"),
        ("client_certificates: required, client_ca_file: /gone", "client_ca_file = /gone"),
        ("client_certificates: required, client_ca_file: FILE", ""),
    ],
)
def test_certificates_of_callers(tmp_path: Path, more: str, words: str) -> None:
    file = tmp_path / "both.pem"
    trustme.CA().issue_cert("a").private_key_and_cert_chain_pem.write_to_path(str(file))
    text = f"inbound: {{listen_tls: {{cert_file: FILE, {more}}}}}".replace("FILE", f"'{file}'")
    found = problems(tmp_path, text)
    assert len(found) == bool(words), found
    assert words in "".join(found)
