"""The local size of messages and of any other object."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, NewType, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from transport import FrozenMap, Message, local_size

T = TypeVar("T")
Name = NewType("Name", str)
Words = TypeAliasType("Words", tuple[str, ...])


class Colour(enum.Enum):
    RED = "red"


class Number(Message):
    n: int
    colour: Colour = Colour.RED
    kind: Literal["number"] = "number"
    pairs: tuple[tuple[int, float], ...] = ()
    perhaps: int | None = None


class Body(Message):
    body: str


class Two(Message):
    key: bytes
    body: str
    n: int = 0


class Rich(Message):
    name: str
    words: tuple[str, ...] = ()
    chunks: frozenset[bytes] = frozenset()
    labels: FrozenMap[str, str] = FrozenMap()
    perhaps: str | None = None
    mixed: tuple[tuple[int, str], ...] = ()
    stamps: tuple[tuple[UUID, str], ...] = ()
    inner: Body | None = None
    numbers: tuple[Number, ...] = ()
    called: Name = Name("")
    alias: Words = ()
    noted: Annotated[str, Field(max_length=100)] = ""
    scalar: str | int = 0


class Box(Message, Generic[T]):
    item: T


def test_a_class_without_text_has_a_fixed_size() -> None:
    assert Number.__local_size__ == 256
    assert local_size(Number(n=10**100, pairs=((1, 2.0),))) == 256


def test_a_class_with_text_is_measured_at_each_instance() -> None:
    assert Body.__local_size__ is None
    assert local_size(Body(body="")) == 256
    assert local_size(Body(body="abc")) == 259
    assert local_size(Two(key=b"\xff", body="ää")) == 259


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"words": ("a", "bc")}, 3),
        ({"chunks": frozenset({b"a", b"bc"})}, 3),
        ({"labels": FrozenMap({"ab": "c"})}, 3),
        ({"perhaps": "abc"}, 3),
        ({"perhaps": None}, 0),
        ({"mixed": ((1, "ab"), (2, "c"))}, 3),
        ({"stamps": ((UUID(int=1), "abc"),)}, 3),
        ({"inner": Body(body="abc")}, 3),
        ({"numbers": (Number(n=1), Number(n=2))}, 0),
        ({"called": Name("abc")}, 3),
        ({"alias": ("abc",)}, 3),
        ({"noted": "abc"}, 3),
        ({"scalar": "abc"}, 3),
        ({"scalar": 5}, 0),
        ({}, 0),
    ],
)
def test_text_counts_wherever_it_is(fields: dict[str, Any], text: int) -> None:
    assert local_size(Rich(name="name", **fields)) == 256 + 4 + text


def test_a_parametrised_message_is_measured() -> None:
    assert local_size(Box[str](item="abc")) == 259
    assert local_size(Box[int](item=3)) == 256


def test_a_subclass_in_a_field_of_its_base_counts_its_own_text() -> None:
    class Base(Message):
        n: int

    class Derived(Base):
        text: str

    class Holder(Message):
        held: Base

    assert local_size(Holder(held=Derived(n=1, text="abc"))) == 259


class Plain(BaseModel):
    text: str


@dataclass
class Record:
    text: str
    parts: list[object] = field(default_factory=list)
    later: str = field(init=False)


@dataclass
class Tagged:
    tag: str


class TaggedEnum(Tagged, enum.Enum):
    ONE = "one"


class Opaque:
    def __init__(self) -> None:
        self.text = "abc"

    def __getattr__(self, name: str) -> str:
        return name


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        ("abc", 3),
        (b"abc", 3),
        (bytearray(b"abc"), 3),
        (memoryview(b"abc"), 3),
        (5, 0),
        (None, 0),
        (["a", ["b"], ("c",), {"d"}, frozenset({"e"}), deque(["f"])], 6),
        ({"a": {"b": "c"}}, 3),
        (FrozenMap({"a": "bc"}), 3),
        (Plain(text="abc"), 3),
        (Record("abc", [Body(body="de")]), 5),
        ([Number(n=1), Body(body="abc")], 3),
        (TaggedEnum.ONE, 0),
        (Record, 0),
        (Body, 0),
        (Opaque(), 0),
    ],
)
def test_any_object_has_a_size(thing: object, text: int) -> None:
    assert local_size(thing) == 256 + text


def test_a_circle_of_containers_is_counted_once() -> None:
    circle: list[object] = ["abc"]
    circle.append(circle)

    assert local_size(circle) == 259


@given(st.recursive(st.text() | st.binary() | st.none(), lambda x: st.tuples(x, x)))
def test_the_size_of_nested_tuples_is_the_length_of_their_leaves(tree: Any) -> None:
    def leaves(node: Any) -> int:
        return sum(map(leaves, node)) if isinstance(node, tuple) else len(node or "")

    assert local_size((tree,)) == 256 + leaves(tree)
