"""How containers and unions are written, and what they refuse."""

from __future__ import annotations

import itertools
import typing as t
from datetime import date, datetime
from uuid import UUID

import msgpack
import pytest
from pydantic import Field, create_model

from transport import FrozenMap, Message
from transport.codec import decode_message, encode_message
from transport.errors import InvalidMessage, NotPortable

PRIME = 2**61 - 1  # two numbers that differ by it have one hash
CROWD = [UUID(int=PRIME * i).bytes for i in range(9)]


class Cat(Message, tag="pet.cat"):
    kind: t.Literal["cat"] = "cat"
    lives: int = 9


class Dog(Message, tag="pet.dog"):
    kind: t.Literal["dog"] = "dog"


class Int(Message, tag="int"):
    n: int


Pet = t.Annotated[Cat | Dog, Field(discriminator="kind")]


def message_with(annotation: object, module: str = __name__) -> t.Any:  # Any: its field is made up
    make: t.Any = create_model
    return make("Sample", __base__=Message, __module__=module, field=(annotation, ...))


def row_of(annotation: object, value: object) -> object:
    (written,) = msgpack.unpackb(encode_message(message_with(annotation)(field=value)))
    return written


def value_of(annotation: object, written: object) -> object:
    made = message_with(annotation)
    return t.cast(t.Any, decode_message(made.wire_tag, 1, msgpack.packb([written]))).field


WRITTEN: list[tuple[object, object, object]] = [
    (tuple[int, ...], (1, 2), [1, 2]),
    (tuple[int, str], (1, "a"), [1, "a"]),
    (tuple[()], (), []),
    (tuple[date, int], (date(2026, 1, 2), 2**70), ["2026-01-02", ["int", (2**70).to_bytes(9)]]),
    (frozenset[str], frozenset({"a"}), ["a"]),
    (frozenset[Cat], frozenset({Cat()}), [["cat", 9]]),
    (FrozenMap[str, int], FrozenMap({"a": 1, "b": 2}), ["a", 1, "b", 2]),
    (
        FrozenMap[UUID, date],
        FrozenMap({UUID(int=1): date(2026, 1, 2)}),
        [b"\0" * 15 + b"\1", "2026-01-02"],
    ),
    (int | None, None, None),
    (date | None, date(2026, 1, 2), "2026-01-02"),
    (Cat | None, Cat(), ["cat", 9]),
    (int | str | None, 5, 5),
    (int | str, 2**64, ["int", (2**64).to_bytes(9)]),
    (int | float, 1.0, 1.0),
    (datetime | int, datetime(2026, 1, 2), "2026-01-02T00:00:00"),
    (tuple[int, ...] | str, (1,), [1, [1]]),
    (frozenset[date] | str, frozenset({date(2026, 1, 2)}), [1, ["2026-01-02"]]),
    (FrozenMap[str, int] | tuple[int, ...], FrozenMap({"a": 1}), [2, ["a", 1]]),
    (Cat | int, Cat(), ["pet.cat", ["cat", 9]]),
    (Pet, Dog(), ["pet.dog", ["dog"]]),
    (Pet | None, None, None),
    (tuple[Pet, ...], (Cat(lives=1), Dog()), [["pet.cat", ["cat", 1]], ["pet.dog", ["dog"]]]),
    (Int | int, Int(n=5), ["int", [5]]),
    (Int | int, 2**64, ["int", (2**64).to_bytes(9)]),
]


@pytest.mark.parametrize(("annotation", "value", "written"), WRITTEN, ids=repr)
def test_each_container_and_union_has_one_written_form(
    annotation: object, value: object, written: object
) -> None:
    assert row_of(annotation, value) == written
    assert value_of(annotation, written) == value


def test_a_union_takes_a_subclass_that_its_field_took() -> None:
    class Moment(datetime):
        pass

    assert row_of(datetime | int, Moment(2026, 1, 2)) == "2026-01-02T00:00:00"


def test_an_integer_is_taken_where_a_union_has_a_float() -> None:
    value = value_of(float | str, 1)

    assert (value, type(value)) == (1.0, float)


@pytest.mark.parametrize(
    ("annotation", "written", "problem"),
    [
        (tuple[date, ...], "2026-01-02", "is not an array"),
        (tuple[date, int], ["2026-01-02"], "is not an array of 2 items"),
        (frozenset[str], "ab", "is not an array"),
        (frozenset[str], ["a", "b", "a"], "has a member twice"),
        (FrozenMap[str, int], ["a"], "has a key without a value"),
        (FrozenMap[str, int], ["a", 1, "a", 1], "has a key twice"),
        (FrozenMap[str, int], 5, "is not an array"),
        (tuple[int, ...] | str, [1], "is an array without a word that this side knows before it"),
        (tuple[int, ...] | str, [True, [1]], "is an array without a word"),
        (tuple[int, ...] | str, [1.0, [1]], "is an array without a word"),
        (tuple[int, ...] | str, [2, [1]], "is an array without a word"),
        (Pet, ["pet.cow", ["cow"]], "is an array without a word"),
        (Pet, ["cat", 9], "is an array without a word"),
        (Pet, 5, "is not valid"),
        (Pet, ["pet.dog", ["cat"]], "is not valid"),
        (str | bool, ["int", b"\x01"], "is not valid"),
        (str | bool, 5, "is not valid"),
        (frozenset[UUID], CROWD, "has more than 8 members with one hash"),
        (FrozenMap[UUID, int], [*itertools.chain(*((one, 1) for one in CROWD))], "more than 8"),
        (frozenset[int], [["int", (PRIME << i).to_bytes(20)] for i in range(65)], "more than 64"),
    ],
)  # fmt: skip
def test_what_is_no_such_container_is_refused(
    annotation: object, written: object, problem: str
) -> None:
    with pytest.raises(InvalidMessage, match=problem):
        value_of(annotation, written)


def pairs_with_one_hash(count: int) -> list[tuple[int, int]]:
    """Distinct pairs of integers below 2**61 that Python hashes to one number (xxHash, undone)."""
    word = 2**64
    one, two, five = 11400714785074694791, 14029467366897019727, 2870177450012600261
    found = []
    for key in itertools.count(1):
        first = (five + key * two) % word
        first = (first << 31 | first >> 33) % word * one % word
        wanted = 12345 * pow(one, -1, word) % word
        second = ((wanted >> 31 | wanted << 33) - first) * pow(two, -1, word) % word
        if second < PRIME:
            found.append((key, second))
        if len(found) == count:
            return found
    raise AssertionError


def test_the_items_of_a_map_are_no_crowd_even_if_its_keys_are_none() -> None:
    pairs = pairs_with_one_hash(9)
    assert len(set(map(hash, pairs))) == 1
    assert value_of(FrozenMap[int, int], [*itertools.chain(*pairs[:8])]) == FrozenMap(pairs[:8])

    with pytest.raises(InvalidMessage, match="has more than 8 members with one hash"):
        value_of(FrozenMap[int, int], [*itertools.chain(*pairs)])
    with pytest.raises(InvalidMessage, match="has more than 8 members with one hash"):
        value_of(frozenset[tuple[int, int]], pairs)


def test_members_of_a_union_need_tags_that_others_know() -> None:
    here: t.Any = create_model("Here", __base__=Message, __module__="__main__", n=(int, ...))

    with pytest.raises(NotPortable, match=r"__main__.Here is a member of a union .*give it one"):
        row_of(here | int, 5)


def test_members_of_a_union_with_one_tag_are_not_portable() -> None:
    make: t.Any = create_model
    first = make("Twin", __base__=Message, __module__=__name__, kind=(t.Literal["a"], "a"))
    second = make("Twin", __base__=Message, __module__=__name__, kind=(t.Literal["b"], "b"))

    with pytest.raises(NotPortable, match=r"Twin \| Twin has members that look the same"):
        row_of(t.Annotated[first | second, Field(discriminator="kind")], first())


def test_a_value_of_no_member_is_not_portable() -> None:
    made = message_with(int | date)

    with pytest.raises(NotPortable, match=r"Sample.field holds something else than it declares"):
        encode_message(made.model_construct(field=b"neither"))
