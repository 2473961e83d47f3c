"""How much of anything may cross the wire, and the walk that counts before anything is made.

A decoder makes objects while it reads: 1 MiB of empty containers would become 70 MiB, and a few
kilobytes of nested array headers would make it set aside room for elements that never come. So
`survey` walks over the headers first. It makes nothing, looks at no more values than may be there,
and an array is counted when its header is read, before its elements. What passes can cost the
decoder little more than its own length.

A payload so short that even its worst reading is cheap is not surveyed.

Source: design.md §5 Security; reliability.md F7, F8 and §5.5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

from transport.errors import OverLimit, Undecodable

__all__ = [
    "CHAIN_LIMIT",
    "CROWD",
    "DEPTH_LIMIT",
    "FRAME_LIMIT",
    "HEADER_LIMIT",
    "NODE_LIMIT",
    "NUMBER_CROWD",
    "PAYLOAD_LIMIT",
    "ROWS_LIMIT",
    "SURVEYED_BYTES",
    "has_crowd",
    "survey",
]

FRAME_LIMIT: Final = 1024 * 1024  # bytes of one ZeroMQ message; also its MAXMSGSIZE
PAYLOAD_LIMIT: Final = FRAME_LIMIT - 4096  # bytes
# Bytes of an envelope besides its payload. The last 64 of the 4 KiB are for the parcel around it,
# so that the largest payload under the largest header still fits in a frame.
HEADER_LIMIT: Final = 4096 - 64
# Envelopes in one batch: as many as fit in 256 KiB, where senders split, when each is minimal.
ROWS_LIMIT: Final = 16_384
CHAIN_LIMIT: Final = 32  # addresses in an ask's chain
DEPTH_LIMIT: Final = 32  # arrays in each other, the outermost counts
NODE_LIMIT: Final = 20_000  # values in a payload, arrays count too
# Below, 170 nested headers that each promise 510 elements are the worst: less than 1 MiB, 1 ms.
SURVEYED_BYTES: Final = 512
# Members of one set or map with one hash. Numbers compare fast, and some that people do send have
# many: of the powers of two every 61st. What is made of numbers (UUID, Decimal, tuples, messages)
# compares up to fifty times slower.
NUMBER_CROWD: Final = 64
CROWD: Final = 8

# Size of a value by its first byte, when that alone says it; 0 when more has to be read.
_SIZES: Final = bytes(
    1 if head < 0x80 or head >= 0xE0 or head in {0xC0, 0xC2, 0xC3}  # small int, nil, bool
    else 1 + (head & 0x1F) if 0xA0 <= head < 0xC0  # fixstr
    else {0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}
    .get(head, 0)
    for head in range(256)
)  # fmt: skip
# Widths of the length that follows the first byte: bin and str, array.
_SIZED: Final = {0xC5: 2, 0xC6: 4, 0xDA: 2, 0xDB: 4}
_ARRAYS: Final = {0xDC: 2, 0xDD: 4}


def survey(data: bytes, what: str, *, nodes: int = NODE_LIMIT, depth: int = DEPTH_LIMIT) -> None:
    """Count the values of one msgpack object without making any.

    Only what costs memory is judged: whether strings are UTF-8 and where the object ends is left
    to the decoder.

    Args:
        data: The bytes.
        what: What they are; named in errors.
        nodes: How many values there may be.
        depth: How many arrays may lie in each other.

    Raises:
        OverLimit: More values or more depth.
        Undecodable: A map, an extension, an unknown type, or less data than a header promises.
    """
    # One step per value: this loop is the price of every large message, so it is written flat.
    seen, position, left = 1, 0, 1
    open_arrays: list[int] = []  # elements still to come, outermost first
    try:
        while True:
            while not left:
                if not open_arrays:
                    return
                left = open_arrays.pop()
            left -= 1
            head = data[position]
            size = _SIZES[head]
            if size:
                position += size
                continue
            if head == 0xC4 or head == 0xD9:  # noqa: PLR1714  # faster than a set
                position += 2 + data[position + 1]
                continue
            width = _SIZED.get(head)
            if width is not None:
                position += 1 + width
                position += int.from_bytes(data[position - width : position], "big")
                continue
            position += 1
            if 0x90 <= head <= 0x9F:
                count = head & 0x0F
            elif head in _ARRAYS:
                width = _ARRAYS[head]
                position += width
                count = int.from_bytes(data[position - width : position], "big")
            else:
                raise Undecodable(what, "has a map, an extension or an unknown type of value")
            seen += count
            if seen > nodes:
                raise OverLimit(what, seen, nodes, "values")
            open_arrays.append(left)
            left = count
            if len(open_arrays) > depth:
                raise OverLimit(what, len(open_arrays), depth, "arrays in each other")
    except IndexError:
        raise Undecodable(what, "ends before its last value") from None


def has_crowd(members: Collection[object], limit: int) -> bool:
    """Whether more than `limit` members have one hash; a set of them would take too long.

    The hashes of numbers, and of what is made of them, can be chosen by whoever chooses the values:
    20,000 UUIDs with one hash cost a set 200 million comparisons. The hashes themselves collide no
    further, so counting them is linear.

    Raises:
        TypeError: A member does not hash.
    """
    return len(members) > limit and max(Counter(map(hash, members)).values()) > limit
