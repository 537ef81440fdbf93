"""The grammar of HTTP/1.1 as far as the sidecar reads it itself; the rest (field lines) is llhttp's. PURE.

Each rule stands under the section it comes from, with the places where it is narrower on purpose.
"""

from __future__ import annotations

import re
from typing import Final

# RFC 9110, 5.6.2: token = 1*tchar
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

# RFC 9112, 3: request-line = method SP request-target SP HTTP-version. Exactly one space (llhttp takes several).
# The target is visible ASCII. Wider than RFC 3986: `"<>\^`{|}` and `#` are sent by many clients, and pass as they came.
REQUEST_LINE: Final = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])")
# A table for bytes.translate, which leaves visible ASCII as it is, and nothing else.
ONLY_VISIBLE: Final = bytes(byte if 0x21 <= byte <= 0x7E else byte ^ 1 for byte in range(256))

# A request line that is well-formed but of a version we do not speak: answered 505 and not 400.
OTHER_VERSION: Final = re.compile(TOKEN + rb" [\x21-\x7e]+ HTTP/[0-9]\.[0-9]")

# RFC 9112, 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]. The last SP may be missing, as many
# servers do.
STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([\t \x21-\x7e\x80-\xff]*))?")

# RFC 9110, 7.8: protocol = protocol-name [ "/" protocol-version ]
PROTOCOL: Final = re.compile(rb"(" + TOKEN + rb")(?:/" + TOKEN + rb")?")

# RFC 2068, 19.7.1: Keep-Alive, with the parameter that servers send (Node.js: `timeout=5`).
KEEP_ALIVE_TIMEOUT: Final = re.compile(rb"(?i)(?:^|[,; \t])timeout=([0-9]{1,6})(?:$|[,; \t])")

# RFC 9112, 7.1: chunk-size [ chunk-ext ]; 16 hex digits are all that a length of 64 bits can need.
# BWS around ";" and "=" is read, as section 7.1.1 asks, and thrown away with the extension.
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
CHUNK_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[ \t]*" + TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + TOKEN + rb"|" + _QUOTED + rb"))?)*",
)

# Bytes that can stand nowhere in a head: CTL but HTAB, DEL, a CR without its LF, an LF without its CR (RFC 9112, 2.2).
# A CR at the very end may still get its LF.
ILLEGAL_IN_HEAD: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?![\n]|\Z)")

# RFC 9112, 3.2.2 absolute-form, of the schemes that a proxy can serve.
ABSOLUTE_FORM: Final = re.compile(rb"([Hh][Tt][Tt][Pp][Ss]?)://([^/?]*)(.*)")


# RFC 9110, 8.6: Content-Length = 1*DIGIT. Narrower: 18 digits at most, which fit 64 bits with a sign in any next hop;
# and no list of equal values, which that section lets a recipient take for one.
_MAX_LENGTH_DIGITS: Final = 18


def read_length(value: bytes) -> int:
    """What a Content-Length says, in bytes; -1 if it is malformed."""
    return int(value) if value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS else -1
