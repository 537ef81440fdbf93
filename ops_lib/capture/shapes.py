"""Secrets known by their shape, under any name: keys of clouds and services, tokens, credentials in texts.

Pure: texts in, texts out.
Every pattern takes linear time on any text: repetitions are possessive, or bounded, or cannot fail afterwards.
For speed, a pattern is only tried on a text with its mark, which most texts do not have.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

SCRUBBED: Final = "[scrubbed]"

# The beginning of a word, also after the letter of an escape, as in the JSON text "line\ntoken".
_START: Final = r"(?:(?<![\w-])|(?<=\\[nrt]))"

# A character that all of them contain; the beginnings of the secrets, one of which must occur; and the pattern.
# Lengths are below those of the issuers, so that a truncated key is found as well.
_TOKENS: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    # GitHub, Stripe, npm, Hugging Face, Groq, Shopify, DigitalOcean.
    (
        "_",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "k_live_", "k_test_", "whsec_", "npm_", "hf_", "gsk_", "shp", "_v1_"),
        r"(?:gh[pousr]|[sr]k_(?:live|test)|whsec|npm|hf|gsk|shp(?:at|ca|pa|ss)|do[opr]_v1)_[A-Za-z0-9]{16,}",
    ),
    ("_", ("github_pat_",), r"github_pat_\w{16,}"),
    # OpenAI, Anthropic and others with the same form. A digit distinguishes the key from a word with hyphens.
    ("-", ("sk-",), rf"{_START}sk-(?=[A-Za-z_-]{{0,64}}\d)[\w-]{{16,}}"),
    # GitLab, Slack, PyPI, Google's OAuth clients.
    ("-", ("glpat-", "xox", "xapp-", "pypi-", "GOCSPX-"), r"(?:glpat|xox[abeoprs]|xapp|pypi|GOCSPX)-[\w-]{10,}"),
    # Amazon's key ids: permanent, temporary, bearer, certificate (IAM User Guide, "IAM identifiers"). And Google's.
    ("A", ("AKIA", "ASIA", "ABIA", "ACCA", "AIza"), r"A(?:KI|SI|BI|CC)A[A-Z0-9]{12,}|AIza[\w-]{20,}"),
    # Google's access tokens, SendGrid, HashiCorp Vault.
    (
        ".",
        ("ya29.", "SG.", "hvs.", "hvb."),
        r"ya29\.[\w-]{16,}|SG\.[\w-]{16,}+\.[\w-]{16,}|hv[sb]\.[\w-]{16,}",
    ),
    # JSON Web Tokens (RFC 7519, 3; RFC 7515, 3.1): the header is an object, which in base64url begins so.
    (".", ("eyJ",), rf"{_START}eyJ[\w-]{{5,}}+\.[\w-]*+(?:\.[\w-]*+){{0,3}}"),
    # Private keys (RFC 7468, 10 and 11), to their end or the end of the text.
    (
        "-",
        ("-----BEGIN ",),
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?!-----END)[\s\S])*+(?:-----END[A-Z0-9 ]{0,60}-{0,5})?",
    ),
    # Signatures that make a URL a key: Azure's shared access, CloudFront.
    ("=", ("sig=", "Signature="), r"""(?<=[?&]sig=)[^&\s"'#]+|(?<=[?&]Signature=)[^&\s"'#]+"""),
)

_SHORTEST: Final = len("?sig=x")  # of the texts that hold one of them

# HTTP credentials (RFC 9110, 11.4).
# Bearer is followed by a token68, except in prose.
# Basic is followed by base64 (RFC 7617, 2); a word with a length
# that base64 cannot have is prose: "Basic authentication".
_CREDENTIALS: Final = (
    r"\b(Bearer(?:[ \t]++|%20))(?!(?:tokens?|auth\w*|schemes?|realm|error|of|is|was|or|and|for|in)\b)[\w.~+/-]++=*"
    r"|\b(Basic(?:[ \t]++|%20))(?=[\w+/-]{6})"
    r"(?:(?!(?-i:[A-Z]?[a-z]++)(?![\w+/=-]))[\w+/-]++=*|(?:[\w+/-]{4}){2,}+(?![\w+/=-]))"
    r"|\b((?:authorization|cookie): *)[^\s\"'{}][^\r\n\"'{}]*"
)
_USERINFO: Final = r"""(?<=://)[^\s/?#@"'<>]++(?=@)"""  # RFC 3986, 3.2.1


@cache
def _pattern(pattern: str, ignore_case: bool = False) -> re.Pattern[str]:
    """A pattern, compiled on first use, for speed: most processes that import this never record a value."""
    return re.compile(pattern, re.IGNORECASE if ignore_case else 0)


def _keep_scheme(match: re.Match[str]) -> str:
    return (match[1] or match[2] or match[3]) + SCRUBBED


def _tells_credentials(low: str) -> bool:
    return "bearer" in low or "basic" in low or "authorization:" in low or "cookie:" in low


def without_shapes(text: str) -> str:
    """`text` without the secrets that their shape reveals."""
    if (" " in text or "%20" in text) and _tells_credentials(text.lower()):
        text = _pattern(_CREDENTIALS, True).sub(_keep_scheme, text)
    if "://" in text:
        text = _pattern(_USERINFO).sub(SCRUBBED, text)
    if len(text) >= _SHORTEST:
        for character, beginnings, pattern in _TOKENS:
            if character in text:
                for beginning in beginnings:
                    if beginning in text:
                        text = _pattern(pattern).sub(SCRUBBED, text)
                        break
    return text
