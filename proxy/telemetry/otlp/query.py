"""The query of a URL as a span may show it: without secrets. PURE.

Values of secret names, and values that have the shape of a secret, become `REDACTED`, as the conventions have it
(semantic-conventions/docs/registry/attributes/url.md).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

from ops_lib.capture.scrubbing import LONGEST_NAME, is_secret
from ops_lib.capture.shapes import without_shapes

REDACTED: Final = b"REDACTED"
LIMIT_BYTES: Final = 2048  # longer ones are cut
_PARAMETER: Final = re.compile(rb"([^&;=]*)=([^&;]*)")
_SIGNED: Final = frozenset(("sig", "signature"))  # those of Amazon and Google are names of secrets anyway


def redact(query: bytes) -> bytes:
    """`query` as it came (without `?`), with `REDACTED` in place of secrets."""
    return _PARAMETER.sub(_parameter, query[:LIMIT_BYTES])


def _parameter(found: re.Match[bytes]) -> bytes:
    name = unquote_plus(found[1].decode("latin-1"))[:LONGEST_NAME]
    if name.lower() in _SIGNED or is_secret(name):
        return found[1] + b"=" + REDACTED
    value = unquote_plus(found[2].decode("latin-1"))
    return found[0] if without_shapes(value) == value else found[1] + b"=" + REDACTED
