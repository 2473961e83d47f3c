"""What a message weighs in a local mailbox: 256 plus the lengths of the str and bytes in it.

A mailbox bounds its memory by this number without encoding anything, so it has to be cheap: what
can be known from a class is known when the class is made (`sizer_of`), and a class without text
costs one attribute look-up. The number is an estimate by design; mail from the wire counts its
exact size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from transport.frozen_map import FrozenMap

__all__ = ["BASE_SIZE", "local_size", "sizer_of"]

BASE_SIZE: Final = 256  # bytes; about what an empty message and its envelope take in CPython

# Any: measures run on values whose types the message class has already checked.
Measure = Callable[[Any], int]

# Message classes met so far. A dict by type, because an attribute of a pydantic class costs twice
# as much (its metaclass has a __getattr__), and one of an instance would run foreign __getattr__.
_sizes: Final[dict[type, int | Measure]] = {}
_SCALARS: Final = frozenset({int, float, bool, type(None), Decimal})


def local_size(message: object) -> int:
    """The size of anything a mailbox may hold, in bytes, without encoding it.

    Returns:
        256, plus the number of characters of each str and of bytes of each bytes value in the
        message, also inside tuples, lists, sets, mappings, dataclasses, pydantic models and
        messages, to any depth. A mutable container that is met again, perhaps inside itself,
        counts once. Objects of other types are not looked into.
    """
    kind: Any = type(message)  # Any: only message classes have the two attributes below
    known = _sizes.get(kind)
    if known is None:
        if not hasattr(kind, "__local_size__"):
            return BASE_SIZE + _foreign_extent(message)
        size: int | None = kind.__local_size__
        known = _sizes[kind] = kind.__local_sizer__ if size is None else size
    return known if isinstance(known, int) else known(message)


def sizer_of(types: Mapping[str, object]) -> Measure | None:
    """Prepare the measuring of one message class.

    Args:
        types: Resolved type of each field by name; already checked to be allowed.

    Returns:
        A function from an instance to its `local_size`, looking at relevant fields only, or None
        when no instance can be larger than 256 because no field can hold text.
    """
    measures = {name: _measure_of(of_type) for name, of_type in types.items()}
    texts = tuple(name for name, measure in measures.items() if measure is len)
    others = tuple(
        (name, measure)
        for name, measure in measures.items()
        if measure is not None and measure is not len
    )
    if not others:
        return _text_sizer(texts) if texts else None

    def size(message: Any) -> int:
        values = message.__dict__
        total = BASE_SIZE
        for name in texts:
            total += len(values[name])
        for name, measure in others:
            total += measure(values[name])
        return total

    return size


def _text_sizer(names: tuple[str, ...]) -> Measure:
    if len(names) == 1:
        (only,) = names
        return lambda message: BASE_SIZE + len(message.__dict__[only])

    def size(message: Any) -> int:
        values = message.__dict__
        total = BASE_SIZE
        for name in names:
            total += len(values[name])
        return total

    return size


def _measure_of(of_type: object) -> Measure | None:
    """How to measure the values of a type; None when they hold no text."""
    if of_type is str or of_type is bytes:
        return len
    origin = get_origin(of_type)
    if origin is None:
        if isinstance(of_type, type) and not _may_hold_text(of_type):
            return None
        return _extent
    if origin is Literal:
        return None
    arguments = tuple(a for a in get_args(of_type) if a is not Ellipsis)
    inner = [_measure_of(argument) for argument in arguments]
    if all(measure is None for measure in inner):
        return None
    if origin in (tuple, frozenset) and len(inner) == 1 and inner[0] is len:
        return lambda values: sum(map(len, values))
    return _extent


def _may_hold_text(of_type: type) -> bool:
    # The allowed scalars other than str and bytes are of bounded size, or (int, Decimal) hold no
    # text; an enum member exists once and is not part of the message. Anything else is a message.
    return issubclass(of_type, BaseModel)


def _extent(value: Any) -> int:
    """Text inside a value of an allowed field type; recursion ends because messages do."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value)
    if kind in _SCALARS:
        return 0
    if kind is tuple or kind is frozenset:
        return sum(map(_extent, value))
    if kind is FrozenMap:
        return sum(map(_extent, value.keys())) + sum(map(_extent, value.values()))
    if issubclass(kind, BaseModel):
        return local_size(value) - BASE_SIZE
    return 0


def _foreign_extent(root: object) -> int:
    """Text inside any object; a list of things to do instead of recursion, for circles exist."""
    total = 0
    todo = [root]
    seen: set[int] = set()
    while todo:
        value = todo.pop()
        kind: type = type(value)
        weigh, parts = _ways_into(kind)
        if weigh is not None:
            total += weigh(value)
        elif parts is not None and id(value) not in seen:
            seen.add(id(value))
            todo.extend(parts(value))
    return total


@lru_cache(maxsize=1024)
def _ways_into(kind: type) -> tuple[Measure | None, Callable[[Any], Iterable[object]] | None]:
    """For the objects of a type: their extent, or else their parts; neither for most."""
    if issubclass(kind, (str, bytes, bytearray)):
        return len, None
    if issubclass(kind, memoryview):
        return attrgetter("nbytes"), None
    if hasattr(kind, "__local_size__"):
        return _extent, None
    if issubclass(kind, (list, tuple, set, frozenset, deque)):
        return None, iter
    if issubclass(kind, Mapping):
        return None, lambda mapping: chain(mapping.keys(), mapping.values())
    if issubclass(kind, BaseModel):
        return None, lambda model: model.__dict__.values()
    if is_dataclass(kind) and not issubclass(kind, Enum):
        names = [field.name for field in fields(kind)]
        # A field without a value yet (init=False) has nothing to weigh.
        return None, lambda record: [getattr(record, name, None) for name in names]
    return None, None
