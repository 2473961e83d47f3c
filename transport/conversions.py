"""How single values are written on the wire: one pair of functions per field type.

msgpack has nil, booleans, integers of 64 bits, doubles, UTF-8 text, bytes and arrays; the wire uses
these and neither maps nor extensions. Whatever else a field may hold is written as text or bytes:

    UUID         16 bytes
    datetime     text, ISO 8601 as Python writes it: 2026-01-02T03:04:05.000006+01:00
    date, time   text, the same: 2026-01-02, 03:04:05
    timedelta    text, whole microseconds in decimal: -1500000
    Decimal      text: 1.50, 1E+3
    int          an integer; beyond 64 bits the pair ["int", two's complement, big-endian]
    Enum         its value

A conversion is a function of one value, or None where msgpack's own value is the field's value. A
decoding conversion raises `Mismatch` or any other Exception for what it does not take; the layout
around it names the field. Its strictness is not the last word: pydantic checks the result.

Source: docs/wire.md, Encoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from transport.limits import CROWD, NUMBER_CROWD
from transport.references import address_of, referent

__all__ = [
    "PLAIN",
    "WIDE",
    "WIDE_MARK",
    "Conversion",
    "Convert",
    "Mismatch",
    "enum_conversion",
    "integer_conversion",
    "literal_conversion",
    "scalar_conversion",
]

# Any: a conversion is chosen by the declared type of a field, and what it is given is checked
# before (sending: the message is valid) or after (receiving: by pydantic).
Convert: TypeAlias = Callable[[Any], Any]

# The word in front of an integer beyond 64 bits. Bytes without it hold no such integer, so that a
# single search spares the test of every integer in a message.
WIDE: Final = "int"
WIDE_MARK: Final = WIDE.encode()


class Mismatch(ValueError):
    """What was decoded cannot be a value of the field's type; the text ends a sentence."""


class Conversion(NamedTuple):
    """How the values of one type are written and read.

    Attributes:
        encode: From the value to what msgpack writes; None when that is the value itself.
        decode: From what msgpack read to the value; None likewise.
        depth: Arrays in each other that the written form can have.
        wire: Python types that msgpack reads for this type, by which unions choose.
        crowd: How many values with one hash may be in a set; 0 when nobody can choose the hash,
            which Python keys for text, bytes and times.
    """

    encode: Convert | None
    decode: Convert | None
    depth: int
    wire: frozenset[type]
    crowd: int = 0


def _wide(value: object) -> object:
    """The pair of an integer beyond 64 bits; anything else as it is."""
    if type(value) is not int or -(2**63) <= value < 2**64:
        return value
    return WIDE, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _narrow(value: object) -> object:
    """The integer of a wide pair; anything else as it is, for pydantic to judge."""
    if type(value) is not tuple:
        return value
    if len(value) != 2 or value[0] != WIDE or type(value[1]) is not bytes or not value[1]:
        raise Mismatch("is an array where an integer belongs")
    return int.from_bytes(value[1], "big", signed=True)


def _uuid(value: object) -> UUID:
    if type(value) is not bytes or len(value) != 16:
        raise Mismatch("is not the 16 bytes of a UUID")
    return UUID(bytes=value)


def _microseconds(value: timedelta) -> str:
    return str((value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds)


def _reader(pattern: str, form: str, make: Callable[[str], object]) -> Convert:
    """A function that makes a value of a text in one form and of nothing else.

    Python's own parsers take more than one form, and from version to version different ones.
    """
    matches = re.compile(pattern, re.ASCII).fullmatch
    problem = f"is not {form}"

    def read(value: Any) -> object:
        if type(value) is not str or matches(value) is None:
            raise Mismatch(problem)
        return make(value)

    return read


_DATE: Final = r"\d{4}-\d{2}-\d{2}"
_CLOCK: Final = r"\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?"
_OFFSET: Final = r"(?:Z|[+-]\d{2}:\d{2}(?::\d{2}(?:\.\d{6})?)?)?"
_TINY_OFFSET: Final = re.compile(r"([+-])00:00:00\.(\d{6})$")

_TEXT: Final = frozenset({str})
_BYTES: Final = frozenset({bytes})


def _with_offset(make: Callable[[str], Any]) -> Callable[[str], object]:
    """Python's parser, which takes an offset of less than a second for none (seen in 3.11)."""

    def read(text: str) -> object:
        made = make(text)
        tiny = _TINY_OFFSET.search(text)
        if tiny is None:
            return made
        return made.replace(tzinfo=timezone(timedelta(microseconds=int(tiny[1] + tiny[2]))))

    return read


def _duration(text: str) -> timedelta:
    return timedelta(microseconds=int(text))


PLAIN: Final = Conversion(None, None, 0, frozenset())

_SCALARS: Final[Mapping[type, Conversion]] = {
    type(None): PLAIN._replace(wire=frozenset({type(None)})),
    bool: PLAIN._replace(wire=frozenset({bool})),
    # The integer 1, as other languages write 1.0, is taken by pydantic.
    float: PLAIN._replace(wire=frozenset({float}), crowd=NUMBER_CROWD),
    str: PLAIN._replace(wire=_TEXT),
    bytes: PLAIN._replace(wire=_BYTES),
    UUID: Conversion(lambda value: value.bytes, _uuid, 0, _BYTES, CROWD),
    datetime: Conversion(
        datetime.isoformat,
        _reader(
            f"{_DATE}T{_CLOCK}{_OFFSET}",
            "a date and time in ISO 8601",
            _with_offset(datetime.fromisoformat),
        ),
        0,
        _TEXT,
    ),
    date: Conversion(
        date.isoformat, _reader(_DATE, "a date in ISO 8601", date.fromisoformat), 0, _TEXT
    ),
    time: Conversion(
        time.isoformat,
        _reader(f"{_CLOCK}{_OFFSET}", "a time in ISO 8601", _with_offset(time.fromisoformat)),
        0,
        _TEXT,
    ),
    timedelta: Conversion(
        _microseconds,
        _reader(r"-?\d{1,20}", "a number of microseconds", _duration),
        0,
        _TEXT,
        CROWD,
    ),
    Decimal: Conversion(
        Decimal.__str__,
        _reader(
            r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[Ee][+-]?\d{1,19})?|-?Infinity|-?NaN",
            "a decimal number",
            Decimal,
        ),
        0,
        _TEXT,
        CROWD,
    ),
}


def reference_conversion() -> Conversion:
    """How a reference to an actor is written: as its address."""
    return Conversion(address_of, referent, 0, _TEXT)


def scalar_conversion(of_type: type) -> Conversion:
    """How the values of an allowed scalar type other than int are written.

    Raises:
        KeyError: There is no such scalar.
    """
    return _SCALARS[of_type]


def integer_conversion(*, wide: bool) -> Conversion:
    """How integers are written: as they are, or, when `wide`, those beyond 64 bits as pairs.

    The narrow form is for messages without such an integer, and can tell: msgpack raises
    OverflowError on the way out, and on the way in `WIDE_MARK` is missing.
    """
    encode, decode = (_wide, _narrow) if wide else (None, None)
    # The depth is that of the wide form either way, so that both agree on what is too deep.
    return Conversion(encode, decode, 1, frozenset({int}), NUMBER_CROWD)


def literal_conversion(values: Iterable[object], *, wide: bool) -> Conversion:
    """How one of several constants (str, int, bool or None) is written."""
    kinds = frozenset(map(type, values))
    return (integer_conversion(wide=wide) if int in kinds else PLAIN)._replace(wire=kinds)


def enum_conversion(enum: type[Enum]) -> Conversion:
    """How an enum is written: as the value of the member, which is a str, an int or a bool."""
    written = {member.name: _plain(member.value) for member in enum}
    # 1 == True, and both may be sent by someone: the type belongs to the key.
    members = {(type(written[member.name]), written[member.name]): member for member in enum}

    def encode(member: Any) -> object:
        return written[member._name_]  # `name` costs a property

    def decode(value: object) -> Enum:
        member = members.get((type(value), value))
        if member is None:
            raise Mismatch("is not the value of a member")
        return member

    depth = 1 if any(type(value) is tuple for value in written.values()) else 0
    return Conversion(encode, decode, depth, _types_of(enum))


def _plain(value: object) -> object:
    # Values may be of subclasses of str and int, which compare and hash as they like.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return value
    assert isinstance(value, int)  # the rule of field types
    return _wide(int(value))


def _types_of(enum: Iterable[Enum]) -> frozenset[type]:
    plain = (bool, str, int)
    return frozenset(next(t for t in plain if isinstance(m.value, t)) for m in enum)
