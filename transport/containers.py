"""How containers and unions are written, given how their parts are.

    tuple, frozenset   array of the items
    FrozenMap          array of key, value, key, value, …
    Optional           nil or the value
    other unions       as the member is, but what is an array goes behind a word that tells which:
                       [1, tuple or frozenset], [2, FrozenMap], [wire tag, message], ["int", bytes]

msgpack's maps are not used: their keys would have to be text, and a decoder that meets them makes
them before anyone can count them.

Sets and maps come with two refusals of their own. What is there twice is an error, not a smaller
set. And few members may share a hash, because whoever chooses the values chooses the hashes, and
20,000 of a kind would keep this side busy for seconds.

Source: docs/wire.md, Encoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from transport.conversions import PLAIN, WIDE, Conversion, Convert, Mismatch
from transport.errors import NotPortable
from transport.frozen_map import FrozenMap, _adopt
from transport.limits import CROWD, has_crowd

__all__ = [
    "LIST",
    "MAP",
    "Member",
    "frozen_map_conversion",
    "frozenset_conversion",
    "optional_conversion",
    "tuple_conversion",
    "union_conversion",
]

# The words before an array in a union. A message's word is its tag, which is never a number.
LIST: Final = 1
MAP: Final = 2

_ARRAY: Final = frozenset({tuple})


def _array(value: object) -> tuple[Any, ...]:
    if type(value) is not tuple:
        raise Mismatch("is not an array")
    return value


def _depth(parts: Iterable[Conversion]) -> int:
    return 1 + max((part.depth for part in parts), default=0)


def tuple_conversion(parts: Sequence[Conversion], *, repeated: bool) -> Conversion:
    """How a tuple is written: `tuple[T, ...]` when `repeated`, else one of fixed length."""
    plain = Conversion(None, None, _depth(parts), _ARRAY, crowd=CROWD)
    if repeated:
        (item,) = parts
        return plain._replace(encode=_all(item.encode), decode=_all(item.decode))
    encoders = [part.encode for part in parts]
    decoders = [part.decode for part in parts]
    return plain._replace(
        encode=_each(encoders) if any(encoders) else None,
        decode=_each(decoders) if any(decoders) else None,
    )


def _all(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    return lambda values: tuple(map(convert, _array(values)))


def _each(converts: Sequence[Convert | None]) -> Convert:
    def convert_each(values: object) -> tuple[object, ...]:
        row = _array(values)
        if len(row) != len(converts):
            raise Mismatch(f"is not an array of {len(converts)} items")
        pairs = zip(converts, row, strict=True)
        return tuple([item if convert is None else convert(item) for convert, item in pairs])

    return convert_each


def frozenset_conversion(item: Conversion) -> Conversion:
    """How a frozenset is written; in no particular order."""
    encode, decode = item.encode, item.decode

    def read(value: object) -> frozenset[object]:
        row = _array(value)
        if decode is not None:
            row = tuple(map(decode, row))
        if item.crowd:
            _refuse_crowd(row, item.crowd)
        members = frozenset(row)
        if len(members) != len(row):
            raise Mismatch("has a member twice")
        return members

    write: Convert = tuple if encode is None else lambda values: tuple(map(encode, values))
    return Conversion(write, read, _depth([item]), _ARRAY, crowd=CROWD)


def frozen_map_conversion(key: Conversion, value: Conversion) -> Conversion:
    """How a FrozenMap is written; the order of its items is kept."""

    def write(entries: Any) -> list[object]:  # Any: a FrozenMap of whatever the parts convert
        row = list(chain.from_iterable(entries.items()))
        if key.encode is not None:
            row[::2] = map(key.encode, row[::2])
        if value.encode is not None:
            row[1::2] = map(value.encode, row[1::2])
        return row

    def read(written: object) -> FrozenMap[object, object]:
        row = _array(written)
        keys, values = row[::2], row[1::2]
        if len(keys) != len(values):
            raise Mismatch("has a key without a value")
        if key.decode is not None:
            keys = tuple(map(key.decode, keys))
        if value.decode is not None:
            values = tuple(map(value.decode, values))
        if key.crowd:
            _refuse_crowd(keys, key.crowd)
            # The hash of a map, for which anyone may ask, makes a set of its items.
            _refuse_crowd(tuple(zip(keys, values, strict=True)), CROWD)
        entries = dict(zip(keys, values, strict=True))
        if len(entries) != len(keys):
            raise Mismatch("has a key twice")
        return _adopt(entries)

    return Conversion(write, read, _depth([key, value]), _ARRAY, crowd=CROWD)


def _refuse_crowd(members: tuple[object, ...], limit: int) -> None:
    if has_crowd(members, limit):
        raise Mismatch(f"has more than {limit} members with one hash")


def optional_conversion(of: Conversion) -> Conversion:
    """How a value or None is written."""
    encode, decode = of.encode, of.decode
    return of._replace(
        encode=encode and (lambda value: None if value is None else encode(value)),
        decode=decode and (lambda value: None if value is None else decode(value)),
    )


class Member(NamedTuple):
    """One member of a union.

    Attributes:
        types: Of the values in Python.
        word: What goes before the array as which it is written; None when it is no array.
        conversion: How it is written.
    """

    types: frozenset[type]
    word: str | int | None
    conversion: Conversion


def union_conversion(members: Sequence[Member], text: str) -> Conversion:
    """How a union of at least two types besides None is written.

    Args:
        members: Its members.
        text: The union as one writes it; named in errors.

    Raises:
        NotPortable: Two members have one word, or are read as one type.
    """
    encoders: dict[type, Convert | None] = {}
    by_type: dict[type, Convert | None] = {}
    by_word: dict[str | int, Convert | None] = {}
    depth = 0
    for types, word, conversion in members:
        encode, decode = conversion.encode, conversion.decode
        depth = max(depth, conversion.depth + (word is not None))
        if word is None:
            table: dict[Any, Convert | None] = by_type
            keys: frozenset[Any] = conversion.wire
        else:
            table, keys = by_word, frozenset({word})
            encode = _behind(word, encode)
        encoders.update(dict.fromkeys(types, encode))
        for one in keys:
            if table.setdefault(one, decode) is not decode:
                raise NotPortable(text, "has members that look the same on the wire", _ADVICE)
    crowds = [member.conversion.crowd for member in members if member.conversion.crowd]
    return _choosing(encoders, by_type, by_word)._replace(depth=depth, crowd=min(crowds, default=0))


_ADVICE: Final = "wrap one of them in a message, and give messages tags of their own"


def _behind(word: str | int, encode: Convert | None) -> Convert:
    if encode is None:
        return lambda value: (word, value)
    return lambda value: (word, encode(value))


def _choosing(
    encoders: dict[type, Convert | None],
    by_type: dict[type, Convert | None],
    by_word: dict[str | int, Convert | None],
) -> Conversion:
    def write(value: object) -> object:
        kind = type(value)
        if kind not in encoders:  # a subclass, for instance of datetime
            bases = [base for base in encoders if isinstance(value, base)]
            if not bases:
                raise Mismatch("is of no type of the union")
            kind = bases[0]
        encode = encoders[kind]
        return value if encode is None else encode(value)

    def read(value: object) -> object:
        if type(value) is not tuple:
            decode = by_type.get(type(value))
            return value if decode is None else decode(value)
        word, content = value if len(value) == 2 else (None, None)
        if word == WIDE and type(content) is bytes:
            decode = by_type.get(int)
            return value if decode is None else decode(value)
        if type(word) not in {int, str} or word not in by_word:
            raise Mismatch("is an array without a word that this side knows before it")
        decode = by_word[word]
        return content if decode is None else decode(content)

    return PLAIN._replace(
        encode=write if any(encoders.values()) else None,
        decode=read if by_word or any(by_type.values()) else None,
    )
