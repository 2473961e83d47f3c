"""The classes that the recorded bytes are of. They never change: bytes of theirs are read for ever.

A new kind of field gets a class of its own here, and its bytes a file of their own.
"""

from __future__ import annotations

import enum
import typing as t
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from transport import FrozenMap, Message, Request


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Add(Message, tag="vector.add"):
    n: int
    who: str


class Empty(Message, tag="vector.empty"):
    pass


class Scalars(Message, tag="vector.scalars", version=2):
    nothing: None
    flag: bool
    number: int
    real: float
    text: str
    blob: bytes
    ident: UUID
    moment: datetime
    day: date
    clock: time
    span: timedelta
    price: Decimal
    colour: Colour
    level: Level
    word: t.Literal["yes", "no", 3]


class Item(Message, tag="vector.item"):
    sku: str
    quantity: int


class Cat(Message, tag="vector.cat"):
    kind: t.Literal["cat"] = "cat"
    lives: int = 9


class Dog(Message, tag="vector.dog"):
    kind: t.Literal["dog"] = "dog"


Pet = t.Annotated[Cat | Dog, Field(discriminator="kind")]


class Containers(Message, tag="vector.containers"):
    numbers: tuple[int, ...]
    pair: tuple[str, date]
    names: frozenset[str]
    stock: FrozenMap[str, int]
    by_id: FrozenMap[UUID, Item]
    item: Item
    items: tuple[Item, ...]


class Unions(Message, tag="vector.unions"):
    maybe: int | None
    scalar: int | float | str | bool | None
    moment: datetime | int
    either: tuple[int, ...] | FrozenMap[str, int] | None
    other: frozenset[str] | Item
    pet: Pet
    pets: tuple[Pet | None, ...]


class Count(Request[int], tag="vector.count"):
    pass


class Stock(Request[FrozenMap[str, int]], tag="vector.stock"):
    pass


class Fetch(Request[Item | None], tag="vector.fetch"):
    sku: str


class Done(Request[None], tag="vector.done"):
    pass
