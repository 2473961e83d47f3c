"""Bytes that a broken or hostile peer may send: valid ones, damaged in the ways that hurt.

Valid bytes are the recorded ones and some large messages. A sample is damaged at one level (the
payload, the envelope's row, the frame) and wrapped properly above it, so that damage deep inside
gets past the checks outside.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgpack

from tests.vectors import vocabulary as words
from tests.vectors.recording import recorded
from transport import FrozenMap
from transport.codec import encode_message

__all__ = ["LEVELS", "Sample", "damage", "samples"]

LEVELS: Final = ("message", "reply", "error", "envelope", "parcel")

# First bytes of every kind of value, lengths as large as they come, and words of the wire.
_HEADS: Final = bytes([0x00, 0x7F, 0x80, 0x90, 0x9F, 0xA0, 0xBF, *range(0xC0, 0xE1), 0xFF])
_FORGED: Final = (
    b"\xdd\xff\xff\xff\xff",
    b"\xdd\x00\x0f\xff\xff",
    b"\xdd\x00\x00\x4e\x20",
    b"\xdc\xff\xff",
    b"\xdc\x01\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\x7f\xff\xff\xff",
    b"\xda\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\xff",
    b"\xd6\xff\xff\xff\xff\xff",
    b"\xc7\x0c\xff" + b"\xff" * 12,
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    b"\xa3\xed\xa0\x80",
    b"\x92\xa3int\xc4\x09" + b"\xff" * 9,
    b"\x92\xa3int\xc0",
)
# Values that belong nowhere, or nearly somewhere.
_ODD: Final[tuple[Any, ...]] = (  # Any: whatever msgpack packs
    *(None, True, False, 0, 1, 2, -1, 2**63, -(2**63), 0.5, float("nan"), float("inf")),
    *("", "a", "int", "2026-01-02", "2026-02-30", "2026-01-02T03:04:05+23:59", "1E+999999", "red"),
    *("9" * 5000, b"", b"\x00" * 16, b"\xff" * 5000, [], [[]], [None] * 300, {}, {"a": 1}),
    *(["int", b"\xff" * 9], ["int", b""], ["int", b"\x7f" * 3000], ["vector.cat", ["cat", 9]]),
    *([1, [1, 2]], [2, ["a", 1]], [2, ["a"]], ["vector.dog", ["cat"]], ["int", ["int", b"\x01"]]),
)


class Sample(NamedTuple):
    """Bytes that one of the decoders takes.

    Attributes:
        level: What they are; one of `LEVELS`.
        name: Wire tag of a message, or of the request of a reply.
        version: Of the message.
        data: The bytes.
    """

    level: str
    name: str
    version: int
    data: bytes


def samples() -> list[Sample]:
    """Valid bytes of every level, small and large."""
    found = []
    for record in recorded().values():
        if record["of"] != "refused":
            name = record.get("tag") or record.get("to", "")
            data = bytes.fromhex(record["bytes"])
            found.append(Sample(record["of"], name, record.get("version", 0), data))
    bolt = words.Item(sku="bolt", quantity=2**64)
    large = words.Containers(
        numbers=tuple(range(-500, 3000)),
        pair=("x" * 5000, date(2026, 1, 2)),
        names=frozenset(map(str, range(2000))),
        stock=FrozenMap({str(i): i for i in range(1000)}),
        by_id=FrozenMap({UUID(int=i): bolt for i in range(1000)}),
        item=bolt,
        items=(bolt,) * 500,
    )
    found.append(Sample("message", large.wire_tag, large.wire_version, encode_message(large)))
    return found


def damage(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Bytes that are nearly `data`: one to four damages, one after the other."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = chance.choice(_DAMAGES)(data, other, chance)
    return data


def _flip(data: bytes, _: bytes, chance: random.Random) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _head(data: bytes, _: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes([chance.choice(_HEADS)]) + data[at + chance.randrange(2) :]


def _forge(data: bytes, _: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_FORGED) + data[at + chance.randrange(2) :]


def _cut(data: bytes, _: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _drop(data: bytes, _: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.randrange(1, 9) :]


def _splice(data: bytes, other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(other) + 1)
    return data[: chance.randrange(len(data) + 1)] + other[start : start + 2000]


def _repeat(data: bytes, _: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    part = data[start : start + chance.randrange(1, 40)]
    return data[:start] + part * chance.randrange(2, 200) + data[start:]


def _nest(data: bytes, _: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    opening = chance.choice((b"\x91", b"\x92\xc0", b"\xdc\x00\x01", b"\xdc\x01\xff", b"\x81\xa1a"))
    return data[:at] + opening * chance.randrange(1, 2000) + data[at:]


def _retype(data: bytes, _: bytes, chance: random.Random) -> bytes:
    """Well-formed bytes with one value changed, removed or repeated: what validation must catch."""
    try:
        tree: Any = msgpack.unpackb(data)  # Any: the peer's
    except Exception:  # noqa: BLE001  # msgpack has many; what is damaged already stays as it is
        return data
    spot: Any = [tree]
    root, index = spot, 0
    while isinstance(spot[index], list) and spot[index] and chance.random() < 0.8:
        spot, index = spot[index], chance.randrange(len(spot[index]))
    match chance.randrange(4):
        case 0 if spot is not root:
            del spot[index]
        case 1 if spot is not root:
            spot.insert(index, spot[index])
        case _:
            spot[index] = chance.choice(_ODD)
    changed: bytes = msgpack.packb(root[0])
    return changed


_DAMAGES: Final[tuple[Callable[[bytes, bytes, random.Random], bytes], ...]] = (
    *(_flip, _flip, _head, _head, _forge, _forge),
    *(_cut, _drop, _splice, _repeat, _nest),
    *(_retype,) * 8,
)
