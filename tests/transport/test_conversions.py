"""How single values are written, and which other forms of them are refused."""

from __future__ import annotations

import enum
import typing as t
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from transport.conversions import (
    Mismatch,
    enum_conversion,
    integer_conversion,
    literal_conversion,
    scalar_conversion,
)

CEST = timezone(timedelta(hours=2))


class Odd(enum.Enum):
    TRUE = True
    TWO = 2
    TEXT = "text"
    HUGE = 2**80
    SAME = 2  # noqa: PIE796  # an alias


WRITTEN: list[tuple[type, t.Any, t.Any]] = [
    (UUID, UUID(int=5), b"\0" * 15 + b"\x05"),
    (datetime, datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
    (datetime, datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02T03:04:05.000006+00:00"),
    (datetime, datetime(1, 1, 1, tzinfo=CEST), "0001-01-01T00:00:00+02:00"),
    (datetime, datetime.max, "9999-12-31T23:59:59.999999"),
    (date, date(2026, 1, 2), "2026-01-02"),
    (time, time(3, 4, 5, 6), "03:04:05.000006"),
    (time, time(3, 4, tzinfo=CEST), "03:04:00+02:00"),
    (timedelta, timedelta(seconds=-1.5), "-1500000"),
    (timedelta, timedelta.max, "86399999999999999999"),
    (timedelta, timedelta.min, "-86399999913600000000"),
    (Decimal, Decimal("1.50"), "1.50"),
    (Decimal, Decimal("-1E+400"), "-1E+400"),
    (Decimal, Decimal("Infinity"), "Infinity"),
]


@pytest.mark.parametrize(("of", "value", "written"), WRITTEN, ids=str)
def test_each_type_has_one_written_form(of: type, value: object, written: object) -> None:
    conversion = scalar_conversion(of)
    assert conversion.encode is not None
    assert conversion.decode is not None

    assert conversion.encode(value) == written
    assert conversion.decode(written) == value
    assert type(written) in conversion.wire


@pytest.mark.parametrize(
    ("of", "written", "value"),
    [
        (datetime, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (datetime, "2026-01-02T03:04:05.25Z", datetime(2026, 1, 2, 3, 4, 5, 250_000, UTC)),
        (time, "03:04:05.123", time(3, 4, 5, 123_000)),
        (Decimal, "1e3", Decimal("1E+3")),
        (Decimal, ".5", Decimal("0.5")),
        (timedelta, "007", timedelta(microseconds=7)),
    ],
)
def test_forms_that_other_languages_write_are_taken(of: type, written: str, value: object) -> None:
    decode = scalar_conversion(of).decode
    assert decode is not None

    assert decode(written) == value


def test_the_offset_of_a_time_is_kept_to_the_microsecond() -> None:
    decode = scalar_conversion(datetime).decode
    assert decode is not None

    for micros in (1, -1, 999_999, 3_600_000_001):
        offset = timedelta(microseconds=micros)
        moment = datetime(2026, 1, 2, tzinfo=timezone(offset))
        assert decode(moment.isoformat()).utcoffset() == offset


@pytest.mark.parametrize(
    ("of", "wrong"),
    [
        (UUID, b"short"),
        (UUID, "0" * 16),
        (UUID, (0,) * 16),
        (datetime, "2026-01-02"),
        (datetime, "2026-01-02 03:04:05"),
        (datetime, "20260102T030405"),
        (datetime, "2026-W01-1T03:04:05"),
        (datetime, "2026-01-02T03:04:05+01"),
        (datetime, "2026-01-02T03:04:05\n"),
        (datetime, "٢٠٢٦-01-02T03:04:05"),
        (datetime, 5),
        (date, "2026-1-2"),
        (time, "03:04"),
        (timedelta, "1.5"),
        (timedelta, "P1D"),
        (timedelta, ""),
        (timedelta, 5),
        (Decimal, "1_000"),
        (Decimal, " 1"),
        (Decimal, "sNaN"),
        (Decimal, "."),
        (Decimal, 1.5),
    ],
)
def test_other_forms_are_a_mismatch(of: type, wrong: object) -> None:
    decode = scalar_conversion(of).decode
    assert decode is not None

    with pytest.raises(Mismatch):
        decode(wrong)


@pytest.mark.parametrize(
    ("of", "wrong"),
    [
        (datetime, "2026-13-02T03:04:05"),
        (datetime, "2026-01-02T03:04:05+24:00"),
        (date, "2026-02-30"),
        (time, "25:00:00"),
        (timedelta, "9" * 20),
        (Decimal, "1E9999999999999999999"),
    ],
)
def test_the_right_form_of_no_value_raises_what_python_raises(of: type, wrong: str) -> None:
    decode = scalar_conversion(of).decode
    assert decode is not None

    with pytest.raises((ValueError, ArithmeticError)):
        decode(wrong)


def test_wide_integers_are_as_short_as_twos_complement_allows() -> None:
    encode = integer_conversion(wide=True).encode
    assert encode is not None

    assert encode(2**64 - 1) == 2**64 - 1
    assert encode(2**64) == ("int", b"\x01" + b"\0" * 8)
    assert encode(-(2**63)) == -(2**63)
    assert encode(-(2**63) - 1) == ("int", b"\xff\x7f" + b"\xff" * 7)


def test_narrow_integers_are_not_looked_at() -> None:
    conversion = integer_conversion(wide=False)

    assert (conversion.encode, conversion.decode) == (None, None)
    assert conversion.depth == integer_conversion(wide=True).depth


def test_a_literal_of_texts_and_numbers_widens_only_its_numbers() -> None:
    conversion = literal_conversion(("a", 7, None), wide=True)
    assert conversion.encode is not None
    assert conversion.decode is not None

    assert [conversion.encode(value) for value in ("a", 7, None)] == ["a", 7, None]
    assert [conversion.decode(value) for value in ("a", 7, None)] == ["a", 7, None]
    assert conversion.wire == {str, int, type(None)}
    assert literal_conversion(("a", None), wide=True).encode is None


def test_an_enum_is_written_as_its_value_and_told_apart_by_the_values_type() -> None:
    conversion = enum_conversion(Odd)
    encode, decode = conversion.encode, conversion.decode
    assert encode is not None
    assert decode is not None

    written = [encode(member) for member in Odd]

    assert written == [True, 2, "text", ("int", (2**80).to_bytes(11))]
    assert [decode(value) for value in written] == list(Odd)
    for wrong in (1, 2.0, "2", b"text", None, (), "TEXT"):
        with pytest.raises(Mismatch, match="is not the value of a member"):
            decode(wrong)
    assert conversion.depth == 1
    assert conversion.wire == {bool, int, str}
