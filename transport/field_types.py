"""Which types a message may have as fields, and what to write instead of the others.

A message goes by reference inside a process and as JSON or msgpack between processes. So a field
type has to be *deeply immutable* (two actors may hold the same message), *closed* (whoever decodes
it knows from the annotation alone what to make) and *bounded* (a message never contains itself).
The declared set:

- None, bool, int, float, str, bytes, UUID, datetime, date, time, timedelta, Decimal;
- an Enum whose values are str or int, and Literal of str, int, bool and None;
- `tuple[T, ...]`, `tuple[A, B]`, `frozenset[T]`, `FrozenMap[K, V]` of allowed types, where K has
  one JSON text per key: str, bytes, int, bool, UUID, Decimal, a date or time, and an Enum or
  Literal of str;
- references to actors (`ActorRef`), which travel as addresses;
- message classes, other than `Message` itself, which could be anything;
- unions whose members differ on the wire (null, bool, number, text, list, map), and unions of
  messages with a discriminator; Optional, Annotated, NewType and type aliases of all these.

A walk over the resolved annotation applies them. It enters a nested message through a callback
of `transport.message`, which knows the classes being made at the moment and so sees circles.
"""

from __future__ import annotations

import re
import types
from collections import OrderedDict, abc, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from pathlib import PurePath
from typing import (
    Annotated,
    Any,
    Final,
    ForwardRef,
    Literal,
    NewType,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
)
from uuid import UUID

from pydantic import Discriminator
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from transport.errors import MessageTypeError
from transport.frozen_map import FrozenMap
from transport.references import Reference

__all__ = ["FieldTypes", "class_text", "substituted", "type_text"]

NoneType: Final = type(None)

_TEXT_SCALARS: Final = (str, bytes, UUID, datetime, date, time, timedelta, Decimal)
_WIRE_KINDS: Final[Mapping[object, str]] = {
    NoneType: "null",
    bool: "bool",
    int: "number",
    float: "number",
    **dict.fromkeys(_TEXT_SCALARS, "text"),
    tuple: "list",
    frozenset: "list",
    FrozenMap: "map",
}
_SCALARS: Final = frozenset({NoneType, bool, int, float, *_TEXT_SCALARS})
# float is missing because 1 and 1.0 are one key with two texts; None, because JSON has no null key.
_KEYS: Final = frozenset({bool, int, *_TEXT_SCALARS})
_MESSAGE_ADVICE: Final = "make it a Message subclass"
_CIRCLE_ADVICE: Final = "refer to the other by an id, or send the parts one by one"

_TO_TUPLE: Final = frozenset(
    {list, deque, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection, abc.Iterator}
)
_TO_FROZENSET: Final = frozenset({set, abc.Set, abc.MutableSet})
_TO_FROZEN_MAP: Final = frozenset(
    {dict, defaultdict, OrderedDict, abc.Mapping, abc.MutableMapping, types.MappingProxyType}
)
_NEAREST_NAMES: Final[Mapping[object, str]] = {
    **dict.fromkeys(_TO_TUPLE | {tuple}, "tuple"),
    **dict.fromkeys(_TO_FROZENSET | {frozenset}, "frozenset"),
    **dict.fromkeys(_TO_FROZEN_MAP | {FrozenMap}, "FrozenMap"),
}
_NEAREST_SCALARS: Final[tuple[tuple[type, str], ...]] = (
    (bytearray, "bytes"),
    (memoryview, "bytes"),
    (complex, "tuple[float, float]"),
    (PurePath, "str"),
)


class FieldTypes:
    """The check of one annotation of one message class.

    Args:
        owner: The class being made; named in errors.
        field: Its field, or "reply type"; named in errors.
        message_base: The `Message` class.
        stand_ins: Message classes that only stand for others: `Message` itself and `Request`.
        enter: Called with every message class in the annotation. Raises when the class is open
            for checking already, that is, when it contains itself.
        parameters: Type variables that may stay open because `owner` is a generic template.
    """

    def __init__(
        self,
        owner: type,
        field: str,
        *,
        message_base: type,
        stand_ins: Iterable[type],
        enter: Callable[[type], None],
        parameters: Iterable[TypeVar] = (),
    ) -> None:
        self._owner = owner
        self._field = field
        self._message_base = message_base
        self._stand_ins = frozenset(stand_ins)
        self._enter = enter
        self._parameters = frozenset(parameters)
        self._open_aliases: list[TypeAliasType] = []

    def check_field(self, field: FieldInfo) -> None:
        """Check the resolved type of a field, for which pydantic split off the metadata.

        Raises:
            MessageTypeError: The type, or a type inside it, is not in the declared set.
        """
        declared = field.discriminator is not None or _declares_discriminator(field.metadata)
        self.check(field.annotation, discriminated=declared)

    def check(self, annotation: object, *, discriminated: bool = False) -> None:
        """Check a resolved annotation; raises as `check_field` does."""
        origin = get_origin(annotation)
        if isinstance(annotation, TypeAliasType):
            self._check_alias(annotation, annotation, discriminated)
        elif isinstance(origin, TypeAliasType):
            self._check_alias(origin, annotation, discriminated)
        elif origin is Annotated:
            inner, *metadata = get_args(annotation)
            self.check(inner, discriminated=discriminated or _declares_discriminator(metadata))
        elif isinstance(annotation, NewType):
            self.check(annotation.__supertype__, discriminated=discriminated)
        elif origin is Union or origin is types.UnionType:
            self._check_union(get_args(annotation), annotation, discriminated)
        elif origin is not None:
            self._check_generic(annotation, origin, get_args(annotation))
        else:
            self._check_plain(NoneType if annotation is None else annotation)

    def _check_alias(self, alias: TypeAliasType, used: object, discriminated: bool) -> None:
        if alias in self._open_aliases:
            raise self._refusal(alias, "contains itself", _CIRCLE_ADVICE)
        self._open_aliases.append(alias)
        self.check(_alias_value(used), discriminated=discriminated)
        self._open_aliases.pop()

    def _check_plain(self, annotation: object) -> None:
        if annotation in _SCALARS:
            return
        if isinstance(annotation, TypeVar):
            if annotation not in self._parameters:
                raise self._refusal(
                    annotation,
                    "is not a parameter of the class",
                    f"add Generic[{type_text(annotation)}]",
                )
            return
        if annotation is Self or hasattr(annotation, "type_ref"):
            # The second is what pydantic leaves where a generic message names itself.
            raise self._refusal(Self, "would have no bound", _CIRCLE_ADVICE)
        if isinstance(annotation, (str, ForwardRef)):
            # Before Python 3.12 an alias can only contain itself as a text.
            named = re.findall(r"\w+", type_text(annotation))
            if any(alias.__name__ in named for alias in self._open_aliases):
                raise self._refusal(annotation, "contains itself", _CIRCLE_ADVICE)
            raise self._refusal(
                annotation, "does not exist yet", "define it before the class that names it"
            )
        if isinstance(annotation, type):
            if issubclass(annotation, Enum):
                self._check_enum(annotation)
                return
            if issubclass(annotation, self._message_base):
                self._check_message(annotation)
                return
            if issubclass(annotation, Reference):
                return
        raise self._not_allowed(annotation)

    def _check_enum(self, enum: type[Enum]) -> None:
        if issubclass(enum, Flag):
            raise self._refusal(
                enum, "has combined values that are no members", f"use frozenset[{type_text(enum)}]"
            )
        if not all(isinstance(member.value, (str, int)) for member in enum):
            raise self._refusal(
                enum, "has values that are neither str nor int", "give its members such values"
            )

    def _check_message(self, message: type) -> None:
        if (_generic_metadata(message).get("origin") or message) in self._stand_ins:
            raise self._refusal(
                message,
                "may be any message, so nobody could decode it",
                "name one message class, or a union of them with a discriminator",
            )
        # A circle first: a template that contains itself is not helped by a parameter.
        self._enter(message)
        if _parameters_of(message) and not _parameters_of(message) <= self._parameters:
            raise self._refusal(message, "lacks its type parameter", f"write {_example(message)}")

    def _check_generic(
        self, annotation: object, origin: object, arguments: tuple[object, ...]
    ) -> None:
        if origin is Literal:
            if not all(value is None or isinstance(value, (str, int)) for value in arguments):
                raise self._refusal(
                    annotation, "has a value that JSON cannot name", "use str, int, bool or None"
                )
            if any(isinstance(value, Enum) for value in arguments):
                raise self._refusal(
                    annotation, "names an enum's member", "use its value, or the whole enum"
                )
        elif origin is tuple or origin is frozenset:
            for argument in arguments:
                if argument is not Ellipsis:
                    self.check(argument)
        elif origin is FrozenMap:
            key, value = arguments
            self._check_key(key)
            self.check(value)
        elif isinstance(origin, type) and issubclass(origin, Reference):
            pass  # the class of its actor is for mypy
        else:
            raise self._not_allowed(annotation)

    def _check_key(self, key: object) -> None:
        self.check(key)
        bare, _ = _bare(key)
        if bare in _KEYS or (isinstance(bare, TypeVar) and bare in self._parameters):
            return
        values: Iterable[object] = ()
        if get_origin(bare) is Literal:
            values = get_args(bare)
        elif isinstance(bare, type) and issubclass(bare, Enum):
            values = [member.value for member in bare]
        if not values or not all(isinstance(value, str) for value in values):
            raise self._refusal(
                key,
                "cannot be the key of a FrozenMap, because it has no text of its own in JSON",
                "use str as the key, or a tuple of pairs instead of the map",
            )

    def _check_union(self, members: tuple[object, ...], union: object, discriminated: bool) -> None:
        kinds: dict[str, list[object]] = {}
        for member in members:
            self.check(member)
            for kind, value_type in self._wire_types(member):
                found = kinds.setdefault(kind, [])
                if value_type not in found:
                    found.append(value_type)
        for kind, found in kinds.items():
            if len(found) == 1 or set(found) == {int, float}:
                continue
            if not all(self._is_message(value_type) for value_type in found):
                names = " and ".join(map(type_text, found))
                raise self._refusal(
                    union,
                    f"cannot be told apart on the wire: {names} are each a {kind}",
                    "keep one of them, or wrap them in messages with a discriminator",
                )
            if not discriminated:
                raise self._refusal(
                    union,
                    "is a union of messages without a discriminator",
                    "give each a Literal field such as `kind` and annotate the field "
                    f"Annotated[{type_text(union)}, Field(discriminator='kind')]",
                )

    def _wire_types(self, member: object) -> Iterable[tuple[str, object]]:
        """Pairs of wire kind and Python type of a checked member of a union."""
        bare, discriminated = _bare(member)
        origin = get_origin(bare)
        if discriminated:
            # The discriminator tells its members apart; to the others it is one map.
            return [("map", bare)]
        if origin is Union or origin is types.UnionType:
            return [pair for inner in get_args(bare) for pair in self._wire_types(inner)]
        if origin is Literal:
            return [(_WIRE_KINDS[type(value)], type(value)) for value in get_args(bare)]
        if isinstance(bare, TypeVar):
            return [("value of unknown type", bare)]
        if isinstance(bare, type) and issubclass(bare, Enum):
            return [
                ("text" if isinstance(member.value, str) else "number", bare) for member in bare
            ]
        if self._is_message(bare):
            return [("map", bare)]
        kind = origin or bare
        if isinstance(kind, type) and issubclass(kind, Reference):
            return [("text", bare)]
        return [(_WIRE_KINDS[kind], bare)]

    def _is_message(self, value_type: object) -> bool:
        return isinstance(value_type, type) and issubclass(value_type, self._message_base)

    def _not_allowed(self, annotation: object) -> MessageTypeError:
        if annotation is Any or annotation is object:
            return self._refusal(
                annotation,
                "says nothing about the value",
                "name the types, for instance str | int, or send JSON text as str",
            )
        nearest = _nearest(annotation)
        if nearest is None:
            return self._refusal(
                annotation, "is not known to be immutable and decodable", _MESSAGE_ADVICE
            )
        return self._refusal(annotation, "is not an immutable field type", f"use {nearest}")

    def _refusal(self, refused: object, problem: str, hint: str) -> MessageTypeError:
        return MessageTypeError(
            class_text(self._owner), self._field, type_text(refused), problem, hint
        )


def class_text(cls: type) -> str:
    """`module.qualname`, as errors name a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def type_text(annotation: object) -> str:
    """A type as one writes it, without module names: `tuple[int, ...]`, `str | None`."""
    return _written(annotation, {})


def substituted(annotation: object, replaced: Mapping[Any, object]) -> object:
    """The annotation with type variables replaced, at any depth."""
    if isinstance(annotation, TypeVar):
        return replaced.get(annotation, annotation)
    metadata = getattr(annotation, "__pydantic_generic_metadata__", None)
    parameters = metadata["parameters"] if metadata else getattr(annotation, "__parameters__", ())
    if not parameters:
        return annotation
    # Any: whatever declares type parameters can be subscripted, but has no common type.
    generic: Any = annotation
    return generic[tuple(replaced.get(parameter, parameter) for parameter in parameters)]


def _written(annotation: object, names: Mapping[object, str]) -> str:
    """Text of a type, in which `names` replace the names of generic classes."""
    if annotation is None or annotation is NoneType:
        return "None"
    if annotation is Ellipsis:
        return "..."
    origin = get_origin(annotation)
    if origin is None:
        if isinstance(annotation, type):
            return names.get(annotation, annotation.__qualname__)
        if isinstance(annotation, ForwardRef):
            return repr(annotation.__forward_arg__)
        return str(getattr(annotation, "__name__", None) or repr(annotation))
    arguments = get_args(annotation)
    if origin is Annotated:
        return _written(arguments[0], names)
    if origin is Union or origin is types.UnionType:
        return " | ".join(_written(argument, names) for argument in arguments)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    name = names.get(origin, getattr(origin, "__qualname__", str(origin)))
    inner = [_written(argument, names) for argument in arguments]
    if names and origin in _TO_TUPLE:
        inner.append("...")
    return f"{name}[{', '.join(inner)}]"


def _nearest(annotation: object) -> str | None:
    """The allowed type closest to a refused one, as text; None when only a message will do."""
    origin = get_origin(annotation)
    if origin in _NEAREST_NAMES:
        return _written(annotation, _NEAREST_NAMES)
    if annotation in _TO_FROZEN_MAP or annotation is FrozenMap:
        return "FrozenMap[str, V] with the type of the values as V"
    if annotation in _TO_FROZENSET or annotation is frozenset:
        return "frozenset[T] with the type of the items as T"
    if annotation in _TO_TUPLE or annotation is tuple:
        return "tuple[T, ...] with the type of the items as T"
    if origin is abc.Callable or origin is type or annotation is type:
        return "str, a name that the receiver looks up"
    if isinstance(annotation, type):
        for refused, nearest in _NEAREST_SCALARS:
            if issubclass(annotation, refused):
                return nearest
        if issubclass(annotation, (str, bytes, int, float)):
            base = next(b for b in annotation.__mro__ if b in _SCALARS)
            return f"{base.__name__}, or NewType({annotation.__name__!r}, {base.__name__})"
    return None


def _bare(annotation: object) -> tuple[object, bool]:
    """The type without Annotated, NewType and aliases, and whether these had a discriminator."""
    discriminated = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *metadata = get_args(annotation)
            discriminated = discriminated or _declares_discriminator(metadata)
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, TypeAliasType) or isinstance(origin, TypeAliasType):
            annotation = _alias_value(annotation)
        else:
            return NoneType if annotation is None else annotation, discriminated


def _alias_value(annotation: object) -> object:
    if isinstance(annotation, TypeAliasType):
        value: object = annotation.__value__
        return value
    alias: Any = get_origin(annotation)  # Any: a TypeAliasType of typing or typing_extensions
    # Other kinds of type parameter (ParamSpec, TypeVarTuple) have no place in an allowed type.
    replaced = dict(zip(alias.__type_params__, get_args(annotation), strict=False))
    return substituted(alias.__value__, replaced)


def _declares_discriminator(metadata: Iterable[object]) -> bool:
    return any(
        isinstance(item, Discriminator)
        or (isinstance(item, FieldInfo) and item.discriminator is not None)
        for item in metadata
    )


def _generic_metadata(message: type) -> Mapping[str, Any]:
    # Any: pydantic's own record of origin, args and parameters of a generic model.
    metadata: Mapping[str, Any] = getattr(message, "__pydantic_generic_metadata__", {})
    return metadata


def _parameters_of(message: type) -> frozenset[TypeVar]:
    return frozenset(_generic_metadata(message).get("parameters", ()))


def _example(message: type) -> str:
    return f"{message.__qualname__}[{', '.join('int' for _ in _parameters_of(message))}]"
