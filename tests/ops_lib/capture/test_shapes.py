"""Secrets are found by their shape under any name, and prose is left alone."""

from __future__ import annotations

import json
import time

import pytest

from ops_lib.capture.bounds import CaptureSettings
from ops_lib.capture.render import render
from ops_lib.capture.shapes import SCRUBBED, without_shapes

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"
KEYS = [
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "gho_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0abcdefghijkl_0123456789abcdef",
    "glpat-0123456789abcdefghij",
    "sk-0123456789abcdefghijABCDEFGHIJ",
    "sk-proj-abcdefABCDEF0123456789_-abcdef",
    "sk-ant-api03-abcdefABCDEF0123456789_-abcdef",
    "sk_live_0123456789abcdefghijklmn",
    "rk_test_0123456789abcdefghijklmn",
    "xoxb-123456789012-abcdefABCDEF",
    "npm_0123456789abcdefghijABCDEFGHIJ012345",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "SG.0123456789abcdefghij_-.0123456789abcdefghijABCDEFGHIJ_-",
    "ya29.a0ARrdaM0123456789abcdefghij",
    "hvs.CAESI0123456789abcdefghijkl",
    JWT,
    JWT.rpartition(".")[0],
    PEM,
    PEM[:60],
    PEM.replace("RSA PRIVATE", "OPENSSH PRIVATE"),
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_a_secret_wherever_it_stands(key: str) -> None:
    assert without_shapes(key) == SCRUBBED
    for text in (f"found {key}", f"[{key}]", f"https://shop/reset/{key}", f"line\\n{key}"):
        assert without_shapes(text) == text.replace(key, SCRUBBED)
    settings = CaptureSettings()
    for value in ({"harmless": key}, {key: 1}, [key], json.dumps({"a": key})):
        assert json.loads(render(value, settings)) == json.loads(
            json.dumps(value).replace(json.dumps(key)[1:-1], SCRUBBED)
        ) or (SCRUBBED in render(value, settings) and key[:40] not in render(value, settings))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("sent Bearer x", "sent Bearer [scrubbed]"),
        ("sent Bearer hush and left", "sent Bearer [scrubbed] and left"),
        ("BEARER hush==", "BEARER [scrubbed]"),
        ("Bearer%20hush", "Bearer%20[scrubbed]"),
        ("sent Basic dXNlcjpwYXNz", "sent Basic [scrubbed]"),
        ("basic dXNlcjpwYXNzd29yZA==", "basic [scrubbed]"),
        ("Basic QWxhZGRpbjpv and more", "Basic [scrubbed] and more"),
        ("Authorization: Digest hush, hush", "Authorization: [scrubbed]"),
        ("Cookie: a=hush; b=hush", "Cookie: [scrubbed]"),
        ("postgres://bob:hush@db/shop", "postgres://[scrubbed]@db/shop"),
        ("redis://:hush@cache:6379", "redis://[scrubbed]@cache:6379"),
        ("https://hush@git.internal/x.git", "https://[scrubbed]@git.internal/x.git"),
        ("https://blob/x?sv=1&sig=hush%2F&se=2", "https://blob/x?sv=1&sig=[scrubbed]&se=2"),
        (f"{PEM}\nafter", "[scrubbed]\nafter"),
    ],
)
def test_credentials_in_plain_text(text: str, kept: str) -> None:
    assert without_shapes(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "Basic authentication failed",
        "a basic understanding of basic needs",
        "Basic plan",
        "the bearer of news",
        "a Bearer token is missing",
        'WWW-Authenticate: Bearer realm="shop"',
        "sk-learn-is-a-library-of-machine-learning",
        "task-1234567890123456789",
        "npm_package_json_version",
        "hf_model_configuration_of_today",
        "AKIA",
        "eyJ.no.token",
        "https://shop:8443/orders?mail=bob@shop",
        "-----BEGIN CERTIFICATE-----\nMIID",
        "Signature=of the function",
        "ghp_short",
    ],
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert without_shapes(text) == text


@pytest.mark.parametrize("length", [15, 16])
def test_the_shortest_key(length: int) -> None:
    key = "ghp_" + "a" * length
    assert without_shapes(key) == (SCRUBBED if length >= 16 else key)


MEGABYTE = 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        *("Bearer ", "Basic ", "Basic a", "Basic aaaaaa ", "Basic aaaa", " Basic\n", "://", "://a", "://a:", "a@"),
        *("ghp_", "npm_a", "k_live_", "github_pat_", "sk-", "sk-a", "\\nsk-", "sk-" + "a" * 70, "xox", "glpat-"),
        *("AKIA", "AIza", "SG.", "SG.a", "a" * 15 + "SG.", "ya29.", "hvs.", "eyJ", "\\neyJ", "eyJa.", "eyJaaaaaa"),
        *("-----BEGIN ", "-----BEGIN A", "-----BEGIN PRIVATE KEY-----", "-----END", "?sig=", "&sig=a", "Signature="),
        *("cookie: ", "authorization: {", "authorization: a"),
    ],
)
def test_a_megabyte_of_anything_costs_little(piece: str) -> None:
    """No pattern reads a character again and again. A square of the length would be minutes; the bound is generous."""
    text = (piece * (MEGABYTE // len(piece) + 1))[:MEGABYTE]
    start = time.process_time()
    without_shapes(text)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("?sig=x", "?sig=[scrubbed]"),
        ("/p?sig=secret", "/p?sig=[scrubbed]"),
        ("xoxb-1234567890", "[scrubbed]"),
        ("pypi-abcdefghij", "[scrubbed]"),
        ("xoxb-123456789", "xoxb-123456789"),
        ("AKIAABCDEFGHIJKL", "[scrubbed]"),
        ("AKIAABCDEFGHIJK", "AKIAABCDEFGHIJK"),
        ("eyJhbGciOi.", "[scrubbed]"),
        ("sig=x", "sig=x"),
    ],
)
def test_the_shortest_of_each_shape(text: str, kept: str) -> None:
    assert without_shapes(text) == kept


REST = "0123456789ABCDEFGHIJ"
PREFIXES = """
    ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ sk_live_ rk_live_ sk_test_ rk_test_ whsec_ npm_ hf_ gsk_
    shpat_ shpca_ shppa_ shpss_ doo_v1_ dop_v1_ dor_v1_ sk-
    glpat- xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xapp- pypi- GOCSPX-
    AKIA ASIA ABIA ACCA AIza ya29. hvs. hvb.
"""


@pytest.mark.parametrize("prefix", PREFIXES.split())
def test_each_issuer_is_known_by_how_its_keys_begin(prefix: str) -> None:
    assert without_shapes(f"a {prefix}{REST} b") == f"a {SCRUBBED} b"
    assert without_shapes(f"a {prefix} b") == f"a {prefix} b"


@pytest.mark.parametrize(
    ("prefix", "shortest"),
    [("ghp_", 16), ("github_pat_", 16), ("sk-", 16), ("xoxb-", 10), ("AKIA", 12), ("AIza", 20), ("ya29.", 16),
     ("hvs.", 16)],
)  # fmt: skip
def test_a_key_that_is_cut_is_known_from_this_length_on(prefix: str, shortest: int) -> None:
    rest = "0" * shortest
    assert without_shapes(prefix + rest) == SCRUBBED
    assert without_shapes(prefix + rest[:-1]) == prefix + rest[:-1]


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", "PGP "])
def test_each_private_key_is_cut_to_its_end(kind: str) -> None:
    end = " BLOCK" if kind == "PGP " else ""
    text = f"-----BEGIN {kind}PRIVATE KEY{end}-----\nMIIE\n-----END {kind}PRIVATE KEY{end}-----"
    assert without_shapes(f"a {text} b") == f"a {SCRUBBED} b"


PROSE = "token tokens auth authorization scheme schemes realm error of is was or and for in"


@pytest.mark.parametrize("word", PROSE.split())
def test_each_word_after_bearer_that_makes_it_prose(word: str) -> None:
    assert without_shapes(f"the Bearer {word} x") == f"the Bearer {word} x"
    assert without_shapes(f"the Bearer q{word} x") == f"the Bearer {SCRUBBED} x"


@pytest.mark.parametrize("name", ["sig", "Signature"])
def test_each_signature_of_a_url(name: str) -> None:
    assert without_shapes(f"/p?{name}=a1&b=2") == f"/p?{name}={SCRUBBED}&b=2"
    assert without_shapes(f"/p?a=1&{name}=a1 b") == f"/p?a=1&{name}={SCRUBBED} b"
