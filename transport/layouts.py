"""How a message is laid out on the wire: an array of its fields, in the order of declaration.

A layout is made once per class, from the annotations that `transport.field_types` has judged, and
then only runs. On the way back every message, the nested ones too, is validated by pydantic under
its own class, so that what comes from outside has passed what a constructor would have asked.

Most fields of most messages are written as they are; a layout knows the few that are not, and
costs the others nothing.

Source: design.md §5 Message; docs/wire.md, Encoding.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import partial
from operator import itemgetter
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from transport.containers import (
    LIST,
    MAP,
    Member,
    frozen_map_conversion,
    frozenset_conversion,
    optional_conversion,
    tuple_conversion,
    union_conversion,
)
from transport.conversions import (
    Conversion,
    Mismatch,
    enum_conversion,
    integer_conversion,
    literal_conversion,
    reference_conversion,
    scalar_conversion,
)
from transport.errors import InvalidMessage, NotPortable, TransportError
from transport.field_types import _bare, class_text, type_text
from transport.frozen_map import FrozenMap
from transport.limits import CROWD, DEPTH_LIMIT
from transport.message import SCRIPTS, Message, Request
from transport.references import Reference

__all__ = ["Layout", "ReplyLayout", "conversion_of", "layout_of", "not_as_declared"]

# Of more validation errors than this none is read: each costs a dict, and a peer can send many.
_ERRORS_READ: Final = 100

_layouts: dict[tuple[type[Message], bool], Layout] = {}


class Layout:
    """How the instances of one message class become rows and come back.

    Attributes:
        message_class: The class.
        depth: Arrays in each other that a row can have, the row itself counts.
        plain: Makes the row of the dict of an instance of just this class, where every field is
            written as it is; None when one is not.
    """

    __slots__ = (
        "_count",
        "_decoders",
        "_encoders",
        "_named",
        "_names",
        "_select",
        "_validate",
        "depth",
        "message_class",
        "plain",
    )

    def __init__(self, message_class: type[Message], *, wide: bool) -> None:
        if not message_class.__pydantic_complete__:
            message_class.model_rebuild()
        fields = message_class.__pydantic_fields__
        parts = [conversion_of(field.annotation, wide=wide) for field in fields.values()]
        self.message_class = message_class
        self.depth = 1 + max((part.depth for part in parts), default=0)
        _check_depth(class_text(message_class), self.depth)
        self._names = tuple(fields)
        self._count = len(fields)
        self._select = _selector(self._names)
        self._named = _namer(self._names)
        self._encoders = tuple((i, p.encode) for i, p in enumerate(parts) if p.encode is not None)
        self.plain = None if self._encoders else self._select
        self._decoders = tuple((i, p.decode) for i, p in enumerate(parts) if p.decode is not None)
        self._validate: Callable[[dict[str, Any]], Message] = (
            message_class.__pydantic_validator__.validate_python
        )
        if any(field.validation_alias is not None for field in fields.values()):
            # Rows know names; an alias may be the name of another field.
            self._validate = partial(self._validate, by_alias=False, by_name=True)

    def encode(self, message: Message) -> tuple[object, ...] | list[object]:
        """The row of a message.

        Raises:
            NotPortable: The message is of another class, or holds what its fields do not declare.
        """
        if type(message) is not self.message_class:
            raise NotPortable(
                class_text(self.message_class),
                f"is declared, but the value is a {type(message).__qualname__}",
                "the receiver could not tell them apart: declare a union with a discriminator",
            )
        values = self._select(message.__dict__)
        if not self._encoders:
            return values
        row = list(values)
        index = 0
        try:
            for index, encode in self._encoders:
                row[index] = encode(row[index])
        except TransportError:
            raise
        except Exception as error:  # noqa: BLE001  # values of any kind raise what they like
            what = f"{class_text(self.message_class)}.{self._names[index]}"
            raise not_as_declared(what, error) from None
        return row

    def decode(self, row: Any) -> Message:  # Any: what msgpack made of the peer's bytes
        """The message of a row.

        Raises:
            InvalidMessage: The row is not that of a message of this class.
        """
        index = -1  # of no field
        try:
            if type(row) is not tuple or len(row) != self._count:
                raise Mismatch(f"is not an array of {self._count} fields")
            if self._decoders:
                row = list(row)
                for index, decode in self._decoders:
                    row[index] = decode(row[index])
                index = -1
            # Not strict: it costs a quarter of a microsecond, and the lengths are known.
            return self._validate(self._named(row))
        except TransportError:
            raise
        except Exception as error:  # noqa: BLE001  # validators and parsers raise what they like
            field = None if index < 0 else self._names[index]
            raise refusal(self.message_class.wire_tag, field, error) from None


class ReplyLayout:
    """How the replies to one request class are written and come back, pydantic checks both ways."""

    def __init__(self, request_class: type[Request[Any]], *, wide: bool) -> None:
        reply = request_class.reply_type
        self.what = f"the reply to {request_class.wire_tag}"
        if isinstance(reply, TypeVar):
            raise NotPortable(self.what, "has no type", "ask a subclass that names it")
        # In a tuple, because a type that is a message takes no configuration from outside.
        adapter: TypeAdapter[tuple[Any]] = TypeAdapter(
            tuple[reply],  # type: ignore[arg-type,valid-type]  # known only at run time
            config=ConfigDict(strict=True, hide_input_in_errors=True),
        )
        # The adapter's own method adds nothing but a call.
        self._validate: Callable[[tuple[object]], tuple[Any]] = adapter.validator.validate_python
        self._conversion = conversion_of(reply, wide=wide)
        _check_depth(self.what, self._conversion.depth)

    def encode(self, value: object) -> object:
        """What to pack for a value.

        Raises:
            NotPortable: The value is not of the reply type.
        """
        try:
            (checked,) = self._validate((value,))
        except ValidationError as error:
            problem = refusal(self.what, None, error).problem
            raise NotPortable(self.what, problem, "return what the request declares") from None
        encode = self._conversion.encode
        return checked if encode is None else encode(checked)

    def decode(self, unpacked: object) -> Any:
        """The value of what was unpacked.

        Raises:
            InvalidMessage: It is not of the reply type.
        """
        decode = self._conversion.decode
        try:
            value = unpacked if decode is None else decode(unpacked)
            return self._validate((value,))[0]
        except TransportError:
            raise
        except Exception as error:  # noqa: BLE001  # validators and parsers raise what they like
            raise refusal(self.what, None, error) from None


def _check_depth(what: str, depth: int) -> None:
    if depth > DEPTH_LIMIT:
        raise NotPortable(
            what,
            f"nests up to {depth} arrays in each other, {DEPTH_LIMIT} may be sent",
            "send the inner parts as messages of their own",
        )


def not_as_declared(what: str, error: Exception) -> NotPortable:
    """What to raise for an error on the way out; its text may quote the value and is not kept."""
    return NotPortable(
        what,
        f"holds something else than it declares ({type(error).__name__})",
        "make the message through its class, which checks it",
    )


def refusal(tag: str, field: str | None, error: Exception) -> InvalidMessage:
    """What to raise for an error that a conversion or a validator raised.

    The errors of pydantic and of users' validators may quote the value, so only the kind of the
    problem is kept.
    """
    if isinstance(error, Mismatch):
        return InvalidMessage(tag, field, str(error))
    if isinstance(error, ValidationError):
        if error.error_count() > _ERRORS_READ:
            return InvalidMessage(tag, None, f"is invalid in {error.error_count():,} places")
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        # Deeper parts of the place may be keys of a map, which are the peer's.
        named = next((part for part in first["loc"][:1] if isinstance(part, str)), field)
        return InvalidMessage(tag, named, f"is not valid ({first['type']})")
    return InvalidMessage(tag, field, f"is not valid ({type(error).__name__})")


def _selector(names: tuple[str, ...]) -> Callable[[dict[str, Any]], tuple[object, ...]]:
    """The values of a message's dict, in the order of the names, as fast as Python can."""
    if len(names) > 1:
        return itemgetter(*names)
    if names:
        (name,) = names
        return lambda values: (values[name],)
    return lambda _: ()


def _namer(names: tuple[str, ...]) -> Callable[[Sequence[object]], dict[str, object]]:
    """The dict of a row of as many values, as fast as Python can."""
    if len(names) == 1:
        (only,) = names
        return lambda row: {only: row[0]}
    if len(names) == 2:
        first, second = names
        return lambda row: {first: row[0], second: row[1]}
    # Not strict: it costs a quarter of a microsecond.
    return lambda row: dict(zip(names, row))  # noqa: B905


def layout_of(message_class: type[Message], *, wide: bool) -> Layout:
    """The layout of a message class, made at its first use.

    Args:
        message_class: A class whose fields are checked.
        wide: Whether to expect integers beyond 64 bits; see `integer_conversion`.

    Raises:
        NotPortable: The class has no form on the wire.
    """
    layout = _layouts.get((message_class, wide))
    if layout is None:
        # Two threads may make it twice, and either result serves.
        layout = _layouts[message_class, wide] = Layout(message_class, wide=wide)
    return layout


def conversion_of(annotation: object, *, wide: bool) -> Conversion:
    """How the values of an allowed field type are written.

    Args:
        annotation: A type that `transport.field_types` has allowed.
        wide: As for `layout_of`.

    Raises:
        NotPortable: The type has no form on the wire.
    """
    bare, _ = _bare(annotation)
    origin, arguments = get_origin(bare), get_args(bare)
    if origin is Union or origin is types.UnionType:
        return _union(annotation, wide=wide)
    if origin is Literal:
        return literal_conversion(arguments, wide=wide)
    kind = origin or bare
    if isinstance(kind, type) and issubclass(kind, Reference):
        return reference_conversion()
    if origin is not None:
        parts = [conversion_of(a, wide=wide) for a in arguments if a is not Ellipsis]
        if origin is tuple:
            return tuple_conversion(parts, repeated=Ellipsis in arguments)
        if origin is frozenset:
            return frozenset_conversion(*parts)
        assert origin is FrozenMap  # the last container that is allowed
        return frozen_map_conversion(*parts)
    assert isinstance(bare, type)
    if bare is int:
        return integer_conversion(wide=wide)
    if issubclass(bare, Enum):
        return enum_conversion(bare)
    if issubclass(bare, Message):
        layout = layout_of(bare, wide=wide)
        wire = frozenset({tuple})
        return Conversion(layout.encode, layout.decode, layout.depth, wire, CROWD)
    return scalar_conversion(bare)


def _union(annotation: object, *, wide: bool) -> Conversion:
    members = list(dict.fromkeys(_members(annotation)))
    others = [member for member in members if member is not type(None)]
    parts = [conversion_of(member, wide=wide) for member in others]
    if len(parts) == 1:
        return optional_conversion(*parts)
    union = union_conversion(
        [
            Member(_python_types(member, part), _word(member), part)
            for member, part in zip(others, parts, strict=True)
        ],
        type_text(annotation),
    )
    return optional_conversion(union) if type(None) in members else union


def _members(annotation: object) -> Iterable[object]:
    """The members of a union and of the unions in it, without their decoration."""
    bare, _ = _bare(annotation)
    if get_origin(bare) is Union or get_origin(bare) is types.UnionType:
        for member in get_args(bare):
            yield from _members(member)
    else:
        yield bare


def _python_types(member: object, part: Conversion) -> frozenset[type]:
    """The types that the values of a member of a union have."""
    origin = get_origin(member)
    if origin is Literal:
        return part.wire
    of_type = origin or member
    assert isinstance(of_type, type)
    return frozenset({of_type})


def _word(member: object) -> str | int | None:
    """What stands before a member of a union that is written as an array; None for the others."""
    if isinstance(member, type) and issubclass(member, Message):
        if member.__module__ in SCRIPTS and not member.wire_portable:
            raise NotPortable(
                class_text(member),
                "is a member of a union and has no tag that another process knows",
                f"give it one: class {member.__name__.partition('[')[0]}(..., tag='...')",
            )
        return member.wire_tag
    origin = get_origin(member)
    if origin is tuple or origin is frozenset:
        return LIST
    return MAP if origin is FrozenMap else None
