"""Which field types a message class may have, and what it says about the others."""

from __future__ import annotations

import collections
import collections.abc as abc
import dataclasses
import enum
import pathlib
import types
import typing as t
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from pydantic import BaseModel, Discriminator, Field, Tag, create_model
from typing_extensions import TypeAliasType

from transport import FrozenMap, Message, MessageTypeError, Request
from transport.field_types import substituted, type_text

T = t.TypeVar("T")
K = t.TypeVar("K")


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Odd(enum.Enum):
    PAIR = (1, 2)


class Flags(enum.Flag):
    A = 1


class Plain:
    pass


class Model(BaseModel):
    n: int


@dataclasses.dataclass(frozen=True)
class Record:
    n: int


class Text(str):
    pass


class Pair(t.NamedTuple):
    n: int


class Cat(Message):
    kind: t.Literal["cat"] = "cat"


class Dog(Message):
    kind: t.Literal["dog"] = "dog"


class Cow(Message):
    kind: t.Literal["cow"] = "cow"


class Page(Message, t.Generic[T]):
    items: tuple[T, ...]


Pet = t.Annotated[Cat | Dog, Field(discriminator="kind")]
Name = t.NewType("Name", str)
Names = TypeAliasType("Names", tuple[str, ...])
Twice = TypeAliasType("Twice", tuple[T, T], type_params=(T,))
Maybe = TypeAliasType("Maybe", T | None, type_params=(T,))
Endless = TypeAliasType("Endless", "tuple[Endless, ...]")
Unknown = TypeAliasType("Unknown", "Nowhere")  # type: ignore[name-defined]  # noqa: F821  # the point
Step = t.NewType("Step", int)
Circle = TypeAliasType("Circle", tuple[Step, ...])
# What `type Circle = tuple[Circle, ...]` makes from Python 3.12 on.
setattr(Step, "__supertype__", Circle)  # noqa: B010  # mypy knows no such attribute


# Any: mypy cannot know the field.
def message_with(annotation: object, default: object = ...) -> t.Any:
    fields: t.Any = {"field": (annotation, default)}
    return create_model("Sample", __base__=Message, **fields)


def kind_of(value: t.Any) -> str:
    return str(value["kind"] if isinstance(value, dict) else value.kind)


Callably = t.Annotated[
    t.Annotated[Cat, Tag("cat")] | t.Annotated[Dog, Tag("dog")], Discriminator(kind_of)
]

ALLOWED: list[tuple[object, object]] = [
    (None, None),
    (bool, True),
    (int, 10**30),
    (float, float("inf")),
    (str, "ä\x00"),
    (bytes, b"\xff\x00"),
    (UUID, UUID(int=5)),
    (datetime, datetime(2026, 1, 2, 3, 4, 5, 6)),
    (date, date(2026, 1, 2)),
    (time, time(1, 2, 3, 4)),
    (timedelta, timedelta(-1, 2, 3)),
    (Decimal, Decimal("1.50")),
    (Colour, Colour.RED),
    (Level, Level.LOW),
    (t.Literal["a", 1, True, None], "a"),
    (tuple[int, ...], (1, 2)),
    (tuple[()], ()),
    (tuple[int, str], (1, "a")),
    (t.Tuple[int, ...], (1,)),  # noqa: UP006  # the old spelling is allowed, too
    (frozenset[str], frozenset({"a"})),
    (FrozenMap[str, int], FrozenMap({"a": 1})),
    (FrozenMap[UUID, tuple[int, ...]], FrozenMap({UUID(int=5): (1,)})),
    (FrozenMap[Colour, int], FrozenMap({Colour.RED: 1})),
    (FrozenMap[t.Literal["a"], int], FrozenMap({"a": 1})),
    (FrozenMap[Name, int], FrozenMap({"a": 1})),
    (FrozenMap[bytes, int], FrozenMap({b"\xff": 1})),
    (FrozenMap[int, int], FrozenMap({1: 1})),
    (FrozenMap[bool, int], FrozenMap({True: 1})),
    (FrozenMap[date, int], FrozenMap({date(2026, 1, 2): 1})),
    (Cat, Cat()),
    (tuple[Cat, ...], (Cat(), Cat())),
    (int | None, None),
    (t.Optional[str], "a"),  # noqa: UP045  # the old spelling is allowed, too
    (int | float, 1.5),
    (int | bool | str | None, True),
    (str | t.Literal["a"], "a"),
    (t.Literal["a"] | int, 3),
    (str | int | tuple[int, ...] | FrozenMap[str, int] | None, (1,)),
    (Cat | int | None, Cat()),
    (t.Annotated[int, Field(gt=0)], 1),
    (Pet, Dog()),
    (Pet | None, Dog()),
    (Pet | None | int, 5),
    (tuple[Pet, ...], (Dog(), Cat())),
    (FrozenMap[str, Pet], FrozenMap({"a": Dog()})),
    (Callably, Dog()),
    (Name, Name("a")),
    (Names, ("a",)),
    (Twice[int], (1, 2)),
    (Maybe[str], None),
    (Maybe[str] | int, 1),
    (Page[int], Page[int](items=(1,))),
    (Page[Page[str]], Page[Page[str]](items=(Page[str](items=("a",)),))),
]


@pytest.mark.parametrize(("annotation", "value"), ALLOWED, ids=lambda x: type_text(x)[:60])
def test_an_allowed_type_survives_json(annotation: object, value: object) -> None:
    sample = message_with(annotation)(field=value)

    again = type(sample).model_validate_json(sample.model_dump_json())

    assert again == sample
    assert hash(again) == hash(sample)
    assert type(sample).model_validate(sample.model_dump()) == sample


REFUSED: list[tuple[object, str, str]] = [
    (list[int], "list[int]", "use tuple[int, ...]"),
    (t.List[int], "list[int]", "use tuple[int, ...]"),  # noqa: UP006  # old spelling
    (dict[str, list[int]], "dict[str, list[int]]", "use FrozenMap[str, tuple[int, ...]]"),
    (set[str], "set[str]", "use frozenset[str]"),
    (tuple[list[int], ...], "list[int]", "use tuple[int, ...]"),
    (FrozenMap[str, set[int]], "set[int]", "use frozenset[int]"),
    (int | list[int], "list[int]", "use tuple[int, ...]"),
    (list[int | None], "list[int | None]", "use tuple[int | None, ...]"),
    (list[tuple[int, ...]], "list[tuple[int, ...]]", "use tuple[tuple[int, ...], ...]"),
    (list[t.Annotated[int, 3]], "list[int]", "use tuple[int, ...]"),
    (list[t.Literal["a"]], "list[Literal['a']]", "use tuple[Literal['a'], ...]"),
    (abc.Sequence[int], "Sequence[int]", "use tuple[int, ...]"),
    (collections.deque[int], "deque[int]", "use tuple[int, ...]"),
    (abc.Mapping[str, int], "Mapping[str, int]", "use FrozenMap[str, int]"),
    (types.MappingProxyType[str, int], "mappingproxy[str, int]", "use FrozenMap[str, int]"),
    (abc.Set[int], "Set[int]", "use frozenset[int]"),
    (list, "list", "use tuple[T, ...] with"),
    (tuple, "tuple", "use tuple[T, ...] with"),
    (set, "set", "use frozenset[T] with"),
    (frozenset, "frozenset", "use frozenset[T] with"),
    (dict, "dict", "use FrozenMap[str, V] with"),
    (FrozenMap, "FrozenMap", "use FrozenMap[str, V] with"),
    (t.Any, "Any", "name the types"),
    (object, "object", "name the types"),
    (tuple[t.Any, ...], "Any", "name the types"),
    (Plain, "Plain", "make it a Message subclass"),
    (Model, "Model", "make it a Message subclass"),
    (Record, "Record", "make it a Message subclass"),
    (Pair, "Pair", "make it a Message subclass"),
    (tuple[Plain, ...], "Plain", "make it a Message subclass"),
    (Text, "Text", "use str, or NewType('Text', str)"),
    (bytearray, "bytearray", "use bytes"),
    (complex, "complex", "use tuple[float, float]"),
    (pathlib.Path, "Path", "use str"),
    (type[int], "type[int]", "use str, a name"),
    (type, "type", "use str, a name"),
    (abc.Callable[[int], int], "Callable[", "use str, a name"),
    (Flags, "Flags", "use frozenset[Flags]"),
    (Odd, "Odd", "give its members such values"),
    (t.Literal[b"a"], "Literal[b'a']", "use str, int, bool or None"),
    (t.Literal[Colour.RED], "Literal[<Colour.RED: 'red'>]", "or None"),
    (t.Literal[Level.LOW], "Literal[<Level.LOW: 1>]", "or the whole enum"),
    (FrozenMap[float, int], "float", "use str as the key"),
    (FrozenMap[int | str, int], "int | str", "use str as the key"),
    (FrozenMap[None, int], "None", "use str as the key"),
    (FrozenMap[Level, int], "Level", "use str as the key"),
    (FrozenMap[t.Literal[1], int], "Literal[1]", "use str as the key"),
    (FrozenMap[Cat, int], "Cat", "use str as the key"),
    (FrozenMap[tuple[int, ...], int], "tuple[int, ...]", "use str as the key"),
    (Message, "Message", "name one message class"),
    (Request, "Request", "name one message class"),
    (Request[int], "Request[int]", "name one message class"),
    (Page, "Page", "write Page[int]"),
    (T, "T", "add Generic[T]"),
    (Circle, "Circle", "refer to the other by an id"),
    (Unknown, "'Nowhere'", "define it before"),
    (t.NoReturn, "NoReturn", "make it a Message subclass"),
    (Endless, "Endless", "refer to the other by an id"),
    (t.Self, "Self", "refer to the other by an id"),
    (Cat | Dog, "Cat | Dog", "Field(discriminator='kind')"),
    (Cat | Dog | None, "Cat | Dog | None", "Field(discriminator='kind')"),
    (t.Annotated[Cat | Dog, 3], "Cat | Dog", "Field(discriminator='kind')"),
    (tuple[Cat | Dog, ...], "Cat | Dog", "Field(discriminator='kind')"),
    (Maybe[Cat] | Dog, "Maybe[Cat] | Dog", "Field(discriminator='kind')"),
    (Pet | Cow, "Cat | Dog | Cow", "keep one of them"),
    (Cat | FrozenMap[str, int], "Cat | FrozenMap[str, int]", "keep one of them"),
    (str | bytes, "str | bytes", "keep one of them"),
    (str | UUID, "str | UUID", "keep one of them"),
    (str | Colour, "str | Colour", "keep one of them"),
    (int | Level, "int | Level", "keep one of them"),
    (tuple[int, ...] | frozenset[int], "tuple[int, ...] | frozenset[int]", "keep one of them"),
    (tuple[int, ...] | tuple[str, ...], "tuple[int, ...] | tuple[str, ...]", "keep one of them"),
]


@pytest.mark.parametrize(("annotation", "refused", "hint"), REFUSED, ids=lambda x: str(x)[:60])
def test_a_refused_type_is_named_with_class_field_and_nearest_type(
    annotation: object, refused: str, hint: str
) -> None:
    with pytest.raises(MessageTypeError) as caught:
        message_with(annotation)

    error = caught.value
    assert error.message_class == f"{__name__}.Sample"
    assert error.field == "field"
    assert refused in (error.refused or "")
    assert hint in error.hint
    assert str(error).startswith(f"{__name__}.Sample.field: ")


def test_a_union_in_one_field_may_have_its_discriminator_on_the_field() -> None:
    class Owner(Message):
        pet: Cat | Dog = Field(discriminator="kind")

    assert Owner.model_validate_json('{"pet":{"kind":"dog"}}') == Owner(pet=Dog())


def test_a_generic_message_is_checked_again_with_its_parameter() -> None:
    with pytest.raises(MessageTypeError, match=r"use tuple\[int, \.\.\.\]"):
        Page[list[int]]

    assert Page[int](items=(1,)).items == (1,)


def test_a_template_may_use_its_own_variables_in_every_place() -> None:
    class Shelf(Message, t.Generic[K]):
        pages: FrozenMap[K, Page[K]]
        union: K | int

    assert Shelf[str](pages=FrozenMap({"a": Page[str](items=("b",))}), union=3).union == 3
    with pytest.raises(MessageTypeError, match="cannot be the key"):
        Shelf[float]
    with pytest.raises(MessageTypeError, match="cannot be told apart"):

        class Both(Message, t.Generic[K]):
            field: K | frozenset[Colour] | tuple[K, ...]


def test_a_template_makes_no_messages() -> None:
    with pytest.raises(MessageTypeError, match=r"use Page\[int\]"):
        Page(items=([],))


def test_a_mutable_default_is_refused() -> None:
    with pytest.raises(MessageTypeError, match="default of type list can change"):
        message_with(tuple[int, ...], [])


def test_the_product_of_a_default_factory_is_validated() -> None:
    made = message_with(FrozenMap[str, int], Field(default_factory=dict))
    assert type(made().field) is FrozenMap

    with pytest.raises(ValueError, match="valid tuple"):
        message_with(tuple[int, ...], Field(default_factory=list))()


@pytest.mark.parametrize("field", [Field(exclude=True), Field(exclude_if=lambda _: True)])
def test_a_field_that_a_dump_would_lose_is_refused(field: object) -> None:
    with pytest.raises(MessageTypeError, match="excluded from dumps"):
        message_with(int, field)


def test_a_field_with_an_alias_loads_what_it_dumps() -> None:
    class Mail(Message):
        from_: str = Field(alias="from")

    mail = Mail.model_validate({"from": "lead"})

    assert Mail.model_validate_json(mail.model_dump_json()) == mail
    assert Mail.model_validate_json(mail.model_dump_json(by_alias=True)) == mail


def test_substituted_reaches_every_depth() -> None:
    variable: t.Any = T  # Any: mypy knows no type variables as values

    assert substituted(int, {T: str}) is int
    assert substituted(T, {T: str}) is str
    assert substituted(tuple[variable, ...], {T: str}) == tuple[str, ...]
    assert substituted(FrozenMap[str, variable], {T: int}) == FrozenMap[str, int]
    assert substituted(Page, {T: int}) is Page[int]


def test_type_text_writes_types_without_modules() -> None:
    assert type_text(t.ForwardRef("Later")) == "'Later'"
    assert type_text("Later") == "'Later'"
    assert type_text(tuple[int, None]) == "tuple[int, None]"
