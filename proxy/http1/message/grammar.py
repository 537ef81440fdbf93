"""The grammar of HTTP/1.1 as far as the sidecar reads it itself; the rest (field lines) is llhttp's. PURE.

Each rule names its section, and where it is narrower on purpose.
"""

from __future__ import annotations

import re
from typing import Final

# RFC 9110, 5.6.2: token = 1*tchar
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

# RFC 9112, 3: request-line = method SP request-target SP HTTP-version.
# Exactly one space (llhttp takes several).
# The target is visible ASCII. Wider than RFC 3986: many clients send `"<>\^`{|}` and `#`, which pass unchanged.
REQUEST_LINE: Final = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])")
# For `bytes.translate`: changes every byte but visible ASCII.
ONLY_VISIBLE: Final = bytes(byte if 0x21 <= byte <= 0x7E else byte ^ 1 for byte in range(256))

# A well-formed request line with a version that we do not support: answered with 505, not 400.
OTHER_VERSION: Final = re.compile(TOKEN + rb" [\x21-\x7e]+ HTTP/[0-9]\.[0-9]")

# RFC 9112, 4: status-line = HTTP-version SP status-code SP [ reason-phrase ].
# The last SP may be missing, as from many servers.
STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([\t \x21-\x7e\x80-\xff]*))?")

# RFC 9110, 7.8: protocol = protocol-name [ "/" protocol-version ]
PROTOCOL: Final = re.compile(rb"(" + TOKEN + rb")(?:/" + TOKEN + rb")?")

# RFC 2068, 19.7.1: Keep-Alive, with the parameter that servers send (Node.js: `timeout=5`).
KEEP_ALIVE_TIMEOUT: Final = re.compile(rb"(?i)(?:^|[,; \t])timeout=([0-9]{1,6})(?:$|[,; \t])")

# RFC 9112, 7.1: chunk-size [ chunk-ext ]; 16 hex digits suffice for a 64-bit length.
# BWS around ";" and "=" is accepted, as section 7.1.1 asks, and dropped with the extension.
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
CHUNK_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[ \t]*" + TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + TOKEN + rb"|" + _QUOTED + rb"))?)*",
)

# Bytes that are illegal in a head: CTL except HTAB, DEL, a CR without LF, an LF without CR (RFC 9112, 2.2).
# At the very end, the LF of a CR may still come.
ILLEGAL_IN_HEAD: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?![\n]|\Z)")

# RFC 9112, 3.2.2 absolute-form, of the schemes that a proxy can serve.
ABSOLUTE_FORM: Final = re.compile(rb"([Hh][Tt][Tt][Pp][Ss]?)://([^/?]*)(.*)")


# RFC 9110, 8.6: Content-Length = 1*DIGIT. Narrower: 18 digits
# at most, which fit a signed 64-bit integer in any next hop.
# And no list of equal values, which that section allows a recipient to merge.
_MAX_LENGTH_DIGITS: Final = 18

_MOST_LENGTHS: Final = 512  # that are remembered; short, since nothing longer can be one
_lengths: dict[bytes, int] = {}


def read_length(value: bytes) -> int:
    """The value of a Content-Length, in bytes; -1 if it is malformed."""
    known = _lengths.get(value)
    if known is not None:
        return known
    length = int(value) if value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS else -1
    if len(value) <= _MAX_LENGTH_DIGITS and len(_lengths) < _MOST_LENGTHS:
        _lengths[value] = length
    return length
