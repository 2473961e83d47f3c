"""Hypothesis strategies: messages of generated classes, over all types that a field may have.

A class is drawn together with the strategy of its values. Nested classes are made on the way.
"""

from __future__ import annotations

import enum
import itertools
import typing as t
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

from hypothesis import strategies as st
from pydantic import Discriminator, Field, Tag, create_model
from typing_extensions import TypeAliasType

from transport import FrozenMap, Message, Request

# Any: annotations are objects of many kinds, and values are whatever these say. The containers
# stand behind Any, too, because mypy knows no annotation that is computed.
Typed = tuple[t.Any, st.SearchStrategy[t.Any]]
TUPLE: t.Any = tuple
FROZENSET: t.Any = frozenset
MAP: t.Any = FrozenMap
OPTIONAL: t.Any = t.Optional
UNION: t.Any = t.Union
ANNOTATED: t.Any = t.Annotated
LITERAL: t.Any = t.Literal
ASKED: t.Any = Request


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Word(enum.StrEnum):
    YES = "yes"
    NO = "no"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2**70


class Switch(enum.Enum):
    ON = True
    OFF = "off"
    BROKEN = -5


T = t.TypeVar("T")
Name = t.NewType("Name", str)
Several = TypeAliasType("Several", tuple[T, ...], type_params=(T,))
SEVERAL: t.Any = Several

# Offsets may have seconds and their parts; Python keeps them, ISO 8601 as Python writes it, too.
OFFSETS = st.just(timezone(timedelta(microseconds=1))) | st.timedeltas(
    timedelta(hours=-23), timedelta(hours=23)
).map(timezone)
ZONES = st.none() | st.just(UTC) | OFFSETS
INTEGERS = st.integers() | st.integers(-(2**64) - 2, 2**64 + 2) | st.integers(-(10**60), 10**60)
FLOATS = st.floats(allow_nan=False)
TEXTS = st.text(max_size=20) | st.sampled_from(["int", "", "x" * 300, "\x00", "ä€😀"])
BLOBS = st.binary(max_size=20) | st.just(b"int") | st.binary(min_size=255, max_size=300)
DATETIMES = st.datetimes(timezones=ZONES)
TIMES = st.times(timezones=ZONES)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [Decimal("1E+400"), Decimal("-0"), Decimal("0E-30"), Decimal("1.50")]
)

TEXT_KINDS: list[Typed] = [
    (str, TEXTS),
    (bytes, BLOBS),
    (UUID, st.uuids()),
    (datetime, DATETIMES),
    (date, st.dates()),
    (time, TIMES),
    (timedelta, st.timedeltas()),
    (Decimal, DECIMALS),
    (Colour, st.sampled_from(Colour)),
    (Word, st.sampled_from(Word)),
    (t.Literal["a", "b"], st.sampled_from(["a", "b"])),
    (Name, TEXTS),
    (t.Annotated[str, Field(min_length=1)], st.text(min_size=1, max_size=5)),
]
NUMBER_KINDS: list[Typed] = [
    (int, INTEGERS),
    (float, FLOATS),
    (int | float, INTEGERS | FLOATS),
    (Level, st.sampled_from(Level)),
    (t.Literal[7, -8], st.sampled_from([7, -8])),  # pydantic takes True for a literal 1
    (t.Annotated[int, Field(gt=0)], st.integers(min_value=1)),
]
OTHER_SCALARS: list[Typed] = [
    (None, st.none()),
    (bool, st.booleans()),
    (Switch, st.sampled_from(Switch)),
    (t.Literal["a", 7, False, None], st.sampled_from(["a", 7, False, None])),
]
KEYS: list[Typed] = [
    (str, TEXTS),
    (bytes, BLOBS),
    (int, INTEGERS),
    (bool, st.booleans()),
    (UUID, st.uuids()),
    (Decimal, DECIMALS),
    (datetime, st.datetimes()),
    (date, st.dates()),
    (timedelta, st.timedeltas()),
    (Colour, st.sampled_from(Colour)),
    (t.Literal["a", "b"], st.sampled_from(["a", "b"])),
]


def kind_of(value: t.Any) -> str:
    return str(value["kind"] if isinstance(value, dict) else value.kind)


class _Maker:
    """Makes classes whose names are new within one example, so that no two share a tag."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = itertools.count()

    def message(self, fields: dict[str, t.Any], base: type[Message] = Message) -> type[Message]:
        # Any: mypy knows no overload for fields that are only known when it runs.
        make: t.Any = create_model
        made: type[Message] = make(
            f"Made{next(self._numbers)}", __base__=base, __module__=__name__, **fields
        )
        return made


@st.composite
def _typed(draw: st.DrawFn, maker: _Maker, depth: int) -> Typed:
    shapes = ["scalar"] * 4
    if depth:
        shapes += ["tuple", "pair", "set", "map", "optional", "union", "alias"]
        shapes += ["message", "tagged", "called"]
    inner = _typed(maker, depth - 1)
    match draw(st.sampled_from(shapes)):
        case "scalar":
            return draw(st.sampled_from(TEXT_KINDS + NUMBER_KINDS + OTHER_SCALARS))
        case "tuple":
            item, values = draw(inner)
            return TUPLE[item, ...], st.lists(values, max_size=4).map(tuple)
        case "pair":
            (one, ones), (two, twos) = draw(inner), draw(inner)
            return TUPLE[one, two], st.tuples(ones, twos)
        case "set":
            item, values = draw(inner)
            return FROZENSET[item], st.frozensets(values, max_size=4)
        case "map":
            return draw(_maps(inner))
        case "optional":
            item, values = draw(inner)
            return OPTIONAL[item], st.none() | values
        case "union":
            return draw(_unions(maker, depth))
        case "alias":
            item, values = draw(_typed(maker, 0))  # an alias in itself looks like a circle
            return SEVERAL[item], st.lists(values, max_size=4).map(tuple)
        case "message":
            return draw(_messages(maker, depth - 1))
        case "tagged":
            cat, cats = draw(_messages(maker, depth - 1, "cat"))
            dog, dogs = draw(_messages(maker, depth - 1, "dog"))
            tagged = ANNOTATED[UNION[cat, dog], Field(discriminator="kind")]
            optional = (OPTIONAL[tagged], cats | dogs | st.none())
            return (tagged, cats | dogs) if draw(st.booleans()) else optional
        case _:
            cat, cats = draw(_messages(maker, depth - 1, "cat"))
            dog, dogs = draw(_messages(maker, depth - 1, "dog"))
            choices = UNION[ANNOTATED[cat, Tag("cat")], ANNOTATED[dog, Tag("dog")]]
            return ANNOTATED[choices, Discriminator(kind_of)], cats | dogs


@st.composite
def _maps(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    key, keys = draw(st.sampled_from(KEYS))
    value, values = draw(inner)
    return MAP[key, value], st.dictionaries(keys, values, max_size=4).map(FrozenMap)


@st.composite
def _unions(draw: st.DrawFn, maker: _Maker, depth: int) -> Typed:
    """Between two and six members, of which each looks different in JSON."""
    inner = _typed(maker, depth - 1)
    item, items = draw(inner)
    groups: list[list[Typed]] = [
        [(None, st.none())],
        [(bool, st.booleans())],
        NUMBER_KINDS,
        TEXT_KINDS,
        [
            (TUPLE[item, ...], st.lists(items, max_size=3).map(tuple)),
            (FROZENSET[item], st.frozensets(items, max_size=3)),
        ],
        [draw(_maps(inner)), draw(_messages(maker, depth - 1))],
    ]
    chosen = draw(st.lists(st.sampled_from(groups), min_size=2, max_size=6, unique_by=id))
    members = [draw(st.sampled_from(group)) for group in chosen]
    annotation = UNION[tuple(annotation for annotation, _ in members)]
    return annotation, st.one_of([values for _, values in members])


@st.composite
def _messages(draw: st.DrawFn, maker: _Maker, depth: int, kind: str | None = None) -> Typed:
    typed = draw(st.lists(_typed(maker, depth), max_size=4))
    fields: dict[str, t.Any] = {f"f{i}": (of, ...) for i, (of, _) in enumerate(typed)}
    if kind is not None:
        fields["kind"] = (LITERAL[kind], kind)
    made = maker.message(fields)
    values = {f"f{i}": strategy for i, (_, strategy) in enumerate(typed)}
    return made, st.builds(lambda **given: made(**given), **values)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """A message of a class that was made for it."""
    _, values = draw(_messages(_Maker(), 3))
    message: Message = draw(values)
    return message


@st.composite
def replies(draw: st.DrawFn) -> tuple[type[Request[t.Any]], t.Any]:
    """A request class and a value that answers it."""
    maker = _Maker()
    annotation, values = draw(_typed(maker, 2))
    made = maker.message({}, ASKED[annotation])
    assert issubclass(made, Request)
    return made, draw(values)


def exact(value: t.Any) -> object:
    """The value with its types, since 1 == True == 1.0 and an aware time equals another's."""
    match value:
        case Message():
            return type(value), [exact(field) for field in value.__dict__.values()]
        case tuple():
            return tuple, [exact(item) for item in value]
        case frozenset():
            return frozenset, sorted((exact(item) for item in value), key=repr)
        case FrozenMap():
            return FrozenMap, [(exact(key), exact(item)) for key, item in value.items()]
        case datetime() | time():
            return type(value), value.isoformat()
        case Decimal():
            return Decimal, str(value)
        case _:
            return type(value), value
