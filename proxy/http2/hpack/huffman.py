"""The Huffman code of strings (RFC 7541, 5.2 and appendix B). PURE.

The code is canonical: the lengths of its codes say which codes they are.
`decode` takes the faster of two ways, which say the same:

    interpreted   `_by_bytes`: a state is a node inside the code's tree, the bits read since the last whole symbol.
                  For each state and byte, one table has the symbols that end there, another the next state.
    compiled      `by_bits`: the next 12 bits say the next two symbols, or the next one.
                  Its tables take 16 KB, the others 2 MB, which no cache holds: each look-up would wait for memory.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Final

from proxy.http2.hpack.errors import BadBlock

if TYPE_CHECKING:
    from mypy_extensions import i64  # compiled, a machine word; else an int

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
_END_OF_STRING: Final = "the end-of-string symbol in a string"
_BAD_PADDING: Final = "a string with bad padding"


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


_BITS: Final = 12  # of one look-up
_ALL: Final = (1 << _BITS) - 1
_TWO: Final = 32  # in _USED: there are two symbols
_ONE: Final = 16


def _short_tables() -> tuple[bytes, bytes, bytes, bytes]:
    """For the next 12 bits: how many the symbols take that end there, with their number; the first, the second.

    At last how many bits the first takes. All zero if it has a longer code.
    """
    symbols = {(bits, CODES[symbol]): symbol for symbol, bits in enumerate(LENGTHS) if bits <= _BITS}
    used, first, second, alone = bytearray(_ALL + 1), bytearray(_ALL + 1), bytearray(_ALL + 1), bytearray(_ALL + 1)
    for index in range(_ALL + 1):
        found: list[int] = []
        left = _BITS
        bits = 5  # of the shortest code
        while bits <= left and len(found) < 2:
            symbol = symbols.get((bits, index >> (left - bits) & ((1 << bits) - 1)))
            if symbol is None:
                bits += 1
                continue
            found.append(symbol)
            left -= bits
            if len(found) == 1:
                alone[index] = bits
            bits = 5
        if found:
            first[index], second[index] = found[0], found[-1]
            used[index] = _BITS - left | (_TWO if len(found) == 2 else _ONE)
    return bytes(used), bytes(first), bytes(second), bytes(alone)


_SHORT: Final = _short_tables()
_USED: Final = _SHORT[0]
_FIRST: Final = _SHORT[1]
_SECOND: Final = _SHORT[2]
_ALONE: Final = _SHORT[3]
_TREE: Final = _tree()
_CHILDREN: Final = _TREE[0]
_PADDING: Final = _TREE[1]


def by_bits(data: bytes, start: i64, stop: i64) -> bytes:
    """As `decode`. Symbols gather in a word of at most 7 bytes."""
    used, first, second = _USED, _FIRST, _SECOND
    out: list[bytes] = []
    here: i64 = start
    buffer: i64 = 0  # bits that are not read yet, at its end
    left: i64 = 0  # how many
    held: i64 = 0  # symbols in the word
    symbols: i64 = 0  # the word
    while True:
        while left < _BITS and here < stop:
            buffer = (buffer & _ALL) << 8 | data[here]
            here += 1
            left += 8
        if left < _BITS:
            break
        place: i64 = buffer >> (left - _BITS) & _ALL
        taken: i64 = used[place]
        if taken >= _TWO:
            symbols = symbols << 16 | first[place] << 8 | second[place]
            held += 2
        elif taken:
            symbols = symbols << 8 | first[place]
            held += 1
        else:
            return _by_tree(data, start, stop)
        left -= taken & 15
        if held >= 6:
            out.append(int(symbols).to_bytes(int(held), "big"))
            symbols = held = 0
    # Fewer than 12 bits are left: at most two symbols, and padding, which looks like the beginning of a longer code.
    while left >= 5:
        place = buffer << (_BITS - left) & _ALL
        taken = _ALONE[place]
        if taken == 0 or taken > left:
            break
        symbols = symbols << 8 | first[place]
        held += 1
        left -= taken
    padding: i64 = (1 << left) - 1
    if left > 7 or buffer & padding != padding:
        return _by_tree(data, start, stop)
    if held:
        out.append(int(symbols).to_bytes(int(held), "big"))
    return out[0] if len(out) == 1 else b"".join(out)


def _by_tree(data: bytes, start: i64, stop: i64) -> bytes:
    """The same, bit by bit: for strings with rare symbols, and to say what is wrong with one."""
    out = bytearray()
    node = 0
    for byte in data[start:stop]:
        for left in (7, 6, 5, 4, 3, 2, 1, 0):
            node = _CHILDREN[2 * node + (byte >> left & 1)]
            if node >= 256:
                if node == 256 + EOS:
                    raise BadBlock(_END_OF_STRING)
                out.append(node - 256)
                node = 0
    if node not in _PADDING:
        raise BadBlock(_BAD_PADDING)
    return bytes(out)


_IS_COMPILED: Final = not isinstance(by_bits, FunctionType)
_ROWS: Final[tuple[list[int], list[bytes], list[bool]]] = ([], [], []) if _IS_COMPILED else _tables()


def _by_bytes(data: bytes, start: int, stop: int) -> bytes:
    """As `decode`."""
    after, symbols, may_end = _ROWS
    out: list[bytes] = []
    state = 0
    while start < stop:
        place = state + data[start]
        start += 1
        state = after[place]
        if state < 0:
            raise BadBlock(_END_OF_STRING)
        out.append(symbols[place])
    if not may_end[state >> 8]:
        raise BadBlock(_BAD_PADDING)
    return b"".join(out)


def decode(data: bytes, start: int, stop: int) -> bytes:
    """The string whose code is `data[start:stop]`. Raises BadBlock."""
    return by_bits(data, start, stop) if _IS_COMPILED else _by_bytes(data, start, stop)


def encode(text: bytes) -> bytes:
    """The code of `text`, padded with ones. For tests and tools: what we send is not compressed this way."""
    bits = size = 0
    for byte in text:
        bits = bits << LENGTHS[byte] | CODES[byte]
        size += LENGTHS[byte]
    padding = -size % 8
    return ((bits << padding) | ((1 << padding) - 1)).to_bytes((size + padding) // 8, "big")
