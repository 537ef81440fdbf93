"""The Huffman code of strings (RFC 7541, 5.2 and appendix B). PURE.

The code is canonical: the lengths of its codes say which codes they are.
A state of the decoder is a node inside the code's tree: the bits read since the last whole symbol.
Two tables say, for each state and byte that follows, which symbols end in it, and which state comes next.
So each byte costs two look-ups, whatever its bits are.
"""

from __future__ import annotations

from typing import Final

from proxy.http2.hpack.errors import BadBlock

# RFC 7541, appendix B: bits of the code of each byte 0 to 255, and of the end of the string (EOS).
LENGTHS: Final = (
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28,
    28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15,
    6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22,
    20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23,
    23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22,
    22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26,
    27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27,
    26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
)  # fmt: skip
EOS: Final = 256


def _canonical() -> list[int]:
    """The code of each symbol: in order of their lengths, then of the symbols, each is one more than the one before."""
    codes = [0] * len(LENGTHS)
    code = before = 0
    for bits, symbol in sorted((bits, symbol) for symbol, bits in enumerate(LENGTHS)):
        code <<= bits - before
        codes[symbol] = code
        code += 1
        before = bits
    return codes


CODES: Final = _canonical()

_FAILS: Final = -1  # the code of EOS, which must not occur in a string (5.2)


def _tree() -> tuple[list[int], list[int]]:
    """Each inner node's two children: at 2 * node + bit, a node, or a symbol as 256 + symbol."""
    children = [0, 0]
    for symbol, bits in enumerate(LENGTHS):
        node = 0
        code = CODES[symbol]
        for left in range(bits - 1, 0, -1):
            place = 2 * node + (code >> left & 1)
            if not children[place]:
                children[place] = len(children) // 2
                children += (0, 0)
            node = children[place]
        children[2 * node + (code & 1)] = 256 + symbol
    # A string may end in a node that is up to 7 bits of EOS away from the root: all ones (5.2).
    padding = [0]
    for _ in range(7):
        padding.append(children[2 * padding[-1] + 1])
    return children, padding


def _tables() -> tuple[list[int], list[bytes], list[bool]]:
    """The state after each state and byte, at 256 * state + byte; the symbols that end there; the states to end in.

    The next state comes multiplied by 256. By four bits first, then by eight.
    """
    children, padding = _tree()
    states = len(children) // 2
    after: list[int] = []
    symbols: list[bytes] = []
    for state in range(states):
        for nibble in range(16):
            node, found = state, b""
            for left in (3, 2, 1, 0):
                node = children[2 * node + (nibble >> left & 1)]
                if node == 256 + EOS:
                    node = _FAILS
                    break
                if node >= 256:
                    found += bytes((node - 256,))
                    node = 0
            after.append(node)
            symbols.append(found)
    rows = [node * 256 if node >= 0 else _FAILS for node in after]
    following: list[int] = []
    ending: list[bytes] = []
    known: dict[bytes, bytes] = {}  # so that equal symbols are one object
    for place in range(16 * states):
        middle, first = 16 * after[place], symbols[place]
        if middle < 0:
            following += [_FAILS] * 16
            ending += [b""] * 16
            continue
        following += rows[middle : middle + 16]
        second = symbols[middle : middle + 16]
        ending += [known.setdefault(pair, pair) for pair in [first + one for one in second]] if first else second
    may_end = [False] * states
    for state in padding:
        may_end[state] = True
    return following, ending, may_end


_AFTER, _SYMBOLS, _MAY_END = _tables()


def decode(data: bytes, start: int, stop: int) -> bytes:
    """The string whose code is `data[start:stop]`. Raises BadBlock."""
    after = _AFTER
    symbols = _SYMBOLS
    out: list[bytes] = []
    state = 0
    while start < stop:
        place = state + data[start]
        start += 1
        state = after[place]
        if state < 0:
            raise BadBlock("the end-of-string symbol in a string")
        out.append(symbols[place])
    if not _MAY_END[state >> 8]:
        raise BadBlock("a string with bad padding")
    return b"".join(out)


def encode(text: bytes) -> bytes:
    """The code of `text`, padded with ones. For tests and tools: what we send is not compressed this way."""
    bits = size = 0
    for byte in text:
        bits = bits << LENGTHS[byte] | CODES[byte]
        size += LENGTHS[byte]
    padding = -size % 8
    return ((bits << padding) | ((1 << padding) - 1)).to_bytes((size + padding) // 8, "big")
