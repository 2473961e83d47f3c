"""What a hostile peer may send costs about as much memory as it has bytes, and raises one error.

The time is looked at by `scripts/fuzz`. Source: reliability.md F7, F8 and its probe p_dec.
"""

from __future__ import annotations

import gc
import tracemalloc
import typing as t
from collections.abc import Callable
from decimal import Decimal
from itertools import chain
from uuid import UUID

import msgpack
import pytest

from transport import FrozenMap, Message
from transport.codec import decode_error, decode_message, unpack_envelope, unpack_parcel
from transport.errors import InvalidMessage, OverLimit, RemoteProtocolError, Undecodable

MIB = 1024 * 1024
PAYLOAD = 1_044_480
PRIME = 2**61 - 1  # integers that differ by it have one hash


class Bag(Message, tag="hostile.bag"):
    ids: frozenset[UUID] = frozenset()
    prices: frozenset[Decimal] = frozenset()
    numbers: frozenset[int] = frozenset()
    counts: FrozenMap[int, int] = FrozenMap()
    lines: tuple[str, ...] = ()
    deep: tuple[tuple[tuple[int, ...], ...], ...] = ()


def bag(field: str, value: object) -> bytes:
    row: bytes = msgpack.packb([value if name == field else [] for name in Bag.model_fields])
    return row


def array(size: int) -> bytes:
    return b"\xdd" + size.to_bytes(4)


def wide(number: int) -> list[object]:
    return ["int", number.to_bytes(40)]


IDS = [UUID(int=PRIME * i).bytes for i in range(19_990)]
DECIMALS = [str(PRIME * i) for i in range(19_990)]
COUNTS = [*chain(*((wide(PRIME * i), 1) for i in range(4_000)))]
NUMBERS = [wide(PRIME * i) for i in range(6_000)]

# 52 arrays of 20,000: no array alone is above the number of values.
FIFTY = b"\xdc\x00\x34"
HOSTILE: dict[str, tuple[bytes, type[RemoteProtocolError]]] = {
    "a mebibyte of empty arrays": (array(PAYLOAD - 5) + b"\x90" * (PAYLOAD - 5), OverLimit),
    "empty arrays in arrays": (FIFTY + (array(20_000) + b"\x90" * 20_000) * 52, OverLimit),
    "empty maps in arrays": (FIFTY + (array(20_000) + b"\x80" * 20_000) * 52, OverLimit),
    "arrays of one": (FIFTY + (array(10_000) + b"\x91\xc0" * 10_000) * 52, OverLimit),
    "a map of a mebibyte": (b"\xdf\x00\x07\xff\xff" + b"\xa0\xc0" * 500_000, Undecodable),
    "ten maps": (b"\x96" + b"\x80" * 6, Undecodable),
    "depth of 500": (b"\x91" * 500 + b"\xc0", InvalidMessage),
    "depth of 1,000": (b"\x91" * 1000 + b"\xc0", OverLimit),
    "depth of a million": (b"\x91" * 1_000_000, OverLimit),
    "depth without an end": (b"\x91" * 512, Undecodable),
    "promises in a short payload": (b"\xdc\x01\xfe" * 170, Undecodable),
    "promises in each other": (array(20_000) * 1000, OverLimit),
    "a promise of four billion": (b"\xdd\xff\xff\xff\xff", Undecodable),
    "a text of four billion": (b"\xdb\xff\xff\xff\xff", Undecodable),
    "bytes of four billion": (b"\x97\xc6\xff\xff\xff\xff" + b"\x00" * 600, Undecodable),
    "a timestamp that overflows": (b"\xc7\x0c\xff" + b"\xff" * 12, Undecodable),
    "an extension of a mebibyte": (b"\xc9\x00\x0f\x00\x00\x05" + b"\x00" * 0xF0000, Undecodable),
    "twenty thousand errors": (bag("lines", [5] * 19_990), InvalidMessage),
    "as many further in": (bag("deep", [[["a"] * 100] * 190]), InvalidMessage),
    "ids of one hash": (bag("ids", IDS), InvalidMessage),
    "decimals of one hash": (bag("prices", DECIMALS), InvalidMessage),
    "numbers of one hash": (bag("numbers", NUMBERS), InvalidMessage),
    "keys of one hash": (bag("counts", COUNTS), InvalidMessage),
}  # fmt: skip


def peak_of(call: Callable[[], object]) -> int:
    """Bytes that were allocated at once while it ran."""
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_payload_is_refused_and_costs_little_memory(name: str) -> None:
    payload, expected = HOSTILE[name]
    decode_message("hostile.bag", 1, bag("lines", []))  # makes what is made once

    def refused() -> None:
        with pytest.raises(RemoteProtocolError) as caught:
            decode_message("hostile.bag", 1, payload)
        assert type(caught.value) is expected
        assert len(str(caught.value)) < 200

    assert peak_of(refused) < MIB + 12 * len(payload)


@pytest.mark.parametrize(
    "decode", [unpack_parcel, unpack_envelope, decode_error], ids=lambda decode: decode.__name__
)
@pytest.mark.parametrize("name", HOSTILE)
def test_nor_does_it_pass_as_a_frame_a_row_or_an_error(
    name: str, decode: Callable[[bytes], object]
) -> None:
    payload, _ = HOSTILE[name]

    def refused() -> None:
        with pytest.raises(RemoteProtocolError):
            decode(payload)

    assert peak_of(refused) < MIB + 2 * len(payload)


def test_what_is_large_and_honest_still_passes() -> None:
    honest: list[tuple[str, t.Any]] = [
        ("ids", [UUID(int=2**100 // (i + 1)).bytes for i in range(19_000)]),
        ("numbers", list(range(19_000))),
        ("numbers", [wide(2**i) if i > 63 else 2**i for i in range(319)]),
        ("lines", ["x" * 1_000_000]),
        ("lines", ["a" * 900_000 + "😀"]),
    ]

    for field, value in honest:
        message = decode_message("hostile.bag", 1, bag(field, value))
        assert len(getattr(message, field)) == len(value)


def test_the_largest_decimal_and_integer_pass() -> None:
    digits = "9" * 1_000_000

    prices = decode_message("hostile.bag", 1, bag("prices", [digits]))
    numbers = decode_message("hostile.bag", 1, bag("numbers", [["int", b"\x7f" * 1_000_000]]))

    assert prices == Bag(prices=frozenset({Decimal(digits)}))
    assert numbers == Bag(numbers=frozenset({int.from_bytes(b"\x7f" * 1_000_000)}))
