"""Messages: what actors say to each other.

A message class is a frozen pydantic model whose rules are checked once, when the class is made, so
that making a message stays plain pydantic and every message can be shared, hashed and sent::

    class Add(Message, tag="counter.add", version=1):
        n: int


    class Total(Request[int]):  # whoever asks it gets an int, and mypy knows
        pass

The law that the rules buy: `M.model_validate_json(m.model_dump_json()) == m` for every message `m`
of class `M` (NaN apart, which equals nothing, and times in zones whose offset is no whole minute,
which ISO 8601 cannot write). What the field types may be is in `transport.field_types`.

Sharp edges, known and kept:

- A field typed as a base class accepts its subclasses in process, and dumps all of their fields;
  the receiver, who knows the base only, then refuses them. Use a union with a discriminator.
- The order of a frozenset in JSON is the order of iteration; equal messages may differ in it.
- `model_construct` and `model_copy(update=...)` do not validate; that is what they are for.

A tag names a class on the wire. Tags are found in one table of the process, filled by class
statements only: a class made again under the same module and qualified name (a notebook cell that
is run again) replaces the old one, any other second claim is `TagInUse`.

Source: design.md §5 Message.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, ClassVar, Final, Generic, TypeVar, Unpack
from weakref import WeakSet

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticUndefined, core_schema

from transport.errors import MessageTypeError, TagInUse
from transport.field_types import FieldTypes, class_text, substituted
from transport.frozen_map import FrozenMap
from transport.references import Reference, resolving
from transport.size import BASE_SIZE, local_size, sizer_of

__all__ = [
    "SCRIPTS",
    "FrozenMap",
    "Message",
    "MessageTypeError",
    "Reference",
    "Request",
    "TagInUse",
    "find_message",
    "is_current",
    "local_size",
    "resolving",
]

TAG_CHARACTERS: Final = 255
# As which a process knows the script that it runs; the second is for children that multiprocessing
# has spawned. What is called after them, no other process can find.
SCRIPTS: Final = frozenset({"__main__", "__mp_main__"})

# What a subclass may not switch off: each carries a promise of this module.
_CONFIG: Final[ConfigDict] = ConfigDict(
    frozen=True,
    strict=True,
    extra="forbid",
    hide_input_in_errors=True,
    # Bytes are no UTF-8, and infinity is no null: the defaults would break the round trip.
    ser_json_bytes="base64",
    val_json_bytes="base64",
    ser_json_inf_nan="constants",
    # Fields dump under their names, so they must load under them, alias or not.
    validate_by_name=True,
    use_enum_values=False,
    # Otherwise a subclass in a field of its base loses its own fields without a word.
    # Pydantic before 2.13 does not know the key and does lose them.
    polymorphic_serialization=True,
)

_by_tag: dict[str, type[Message]] = {}
_by_tag_lock = threading.Lock()
_checked: WeakSet[type[Message]] = WeakSet()
# The classes whose fields are being checked, outermost first. A ContextVar, because the way from
# one class to the next leads through pydantic, which has no parameter for us.
_open: ContextVar[tuple[type[Message], ...]] = ContextVar("_open", default=())


# The checks come before the classes, because `Message` itself is made through them.


def _register(cls: type[Message]) -> None:
    with _by_tag_lock:
        holder = _by_tag.get(cls.wire_tag)
        if holder is not None and class_text(holder) != class_text(cls):
            raise TagInUse(class_text(cls), cls.wire_tag, class_text(holder))
        _by_tag[cls.wire_tag] = cls


def _tag_of(cls: type[Message], tag: str | None) -> str:
    if tag is None:
        return f"{cls.__module__}:{cls.__qualname__}"
    if not tag or len(tag) > TAG_CHARACTERS or not tag.isprintable() or " " in tag:
        raise MessageTypeError(
            class_text(cls),
            None,
            f"tag={tag!r}",
            "is not a wire tag",
            f"use 1-{TAG_CHARACTERS} printable characters without blanks, such as 'counter.add'",
        )
    return tag


def _version_of(cls: type[Message], version: int) -> int:
    if version < 1:
        raise MessageTypeError(
            class_text(cls),
            None,
            f"version={version!r}",
            "is not a version",
            "count from 1",
        )
    return version


def _check_class(cls: type[Message]) -> None:
    """The rules that concern the class as a whole.

    What is outside of the fields would be shared between actors and lost on the way to another
    process, so there is none of it.
    """
    generic = cls.__pydantic_generic_metadata__
    if generic["parameters"] and generic["origin"] is None and Generic not in cls.__bases__:
        base = next(b for b in cls.__mro__ if Generic in b.__bases__).__name__
        raise MessageTypeError(
            class_text(cls),
            None,
            base,
            "lacks its type parameter",
            f"write class {cls.__name__}({base}[int]), with the type you mean",
        )
    for name in cls.__private_attributes__:
        raise MessageTypeError(
            class_text(cls), name, None, "is a private attribute", "make it a field or a property"
        )
    for name in cls.model_computed_fields:
        raise MessageTypeError(
            class_text(cls),
            name,
            None,
            "is a computed field, which its own class refuses on the way back",
            "make it a property",
        )
    for key, kept in _CONFIG.items():
        if cls.model_config.get(key) != kept:
            raise MessageTypeError(
                class_text(cls),
                None,
                f"{key}={cls.model_config.get(key)!r}",
                "breaks a promise of every message",
                f"remove it; {key} is {kept!r}",
            )


def _check_fields(cls: type[Message]) -> None:
    """Check the resolved field types of a class, and those of the messages in them, once."""
    if cls in _checked:
        return
    token = _open.set((*_open.get(), cls))
    try:
        for name, field in cls.__pydantic_fields__.items():
            _field_types(cls, name, enter=partial(_enter, cls, name)).check_field(field)
            _check_presence(cls, name)
    finally:
        _open.reset(token)
    _checked.add(cls)


def _field_types(cls: type[Message], field: str, *, enter: Callable[[type], None]) -> FieldTypes:
    return FieldTypes(
        cls,
        field,
        message_base=Message,
        stand_ins=(Message, Request),
        enter=enter,
        parameters=cls.__pydantic_generic_metadata__["parameters"],
    )


def _check_presence(cls: type[Message], name: str) -> None:
    """A field is in every dump, and its default obeys the rules of its type."""
    field = cls.__pydantic_fields__[name]
    if field.exclude or field.exclude_if is not None:
        raise MessageTypeError(
            class_text(cls),
            name,
            None,
            "is excluded from dumps and would be lost on the way",
            "remove the exclusion",
        )
    if field.default_factory is not None:
        # Only the factory's product can be judged; pydantic does not look at it by itself.
        field.validate_default = True
    elif field.default is not PydanticUndefined:
        try:
            hash(field.default)
        except TypeError as error:
            raise MessageTypeError(
                class_text(cls),
                name,
                f"the default of type {type(field.default).__name__}",
                "can change, and every message would share it",
                "use a tuple, frozenset() or FrozenMap()",
            ) from error


def _enter(cls: type[Message], field: str, inner: type) -> None:
    """Make sure that a message class inside a field is checked and is not a way back to `cls`."""
    assert issubclass(inner, Message)  # what FieldTypes promises
    way = _open.get()
    if inner in way:
        circle = " -> ".join(c.__name__ for c in (*way[way.index(inner) :], inner))
        raise MessageTypeError(
            class_text(cls),
            field,
            inner.__name__,
            f"closes a circle ({circle}), so a message would have no bound",
            "refer to the other by an id, or send the parts one by one",
        )
    if not inner.__pydantic_complete__:
        # It names classes that came later than itself. Raises while they do not exist, by which
        # `cls` becomes one of the incomplete, too. The namespace is that of the code that made or
        # uses `cls`, as pydantic itself would look; its public search by depth would find us.
        inner.model_rebuild(_types_namespace=_namespace_outside())
    _check_fields(inner)


def _namespace_outside() -> dict[str, Any]:
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals["__name__"].startswith(("pydantic.", "transport.")):
        frame = frame.f_back
    return {} if frame is None else dict(frame.f_locals)


def _reply_type_of(cls: type[Request[Any]]) -> object:
    generic = cls.__pydantic_generic_metadata__
    reply = cls.reply_type  # still that of the base
    if generic["origin"] is not None:
        parameters = generic["origin"].__pydantic_generic_metadata__["parameters"]
        reply = substituted(reply, dict(zip(parameters, generic["args"], strict=True)))
    # A reply is no part of the request, so it closes no circle, and messages check themselves.
    _field_types(cls, "reply type", enter=lambda _: None).check(reply)
    return type(None) if reply is None else reply


def _refuse_template(cls: type[Message]) -> Callable[[object], object]:
    def refuse(_value: object) -> object:
        raise MessageTypeError(
            class_text(cls),
            None,
            cls.__name__,
            "lacks its type parameter",
            f"subclass or use {cls.__name__}[int], with the type you mean",
        )

    return refuse


class Message(BaseModel):
    """Base of everything that is told or asked: immutable, hashable, checked, ready for the wire.

    Class arguments:
        tag: Name of the class on the wire, 1-255 printable characters without blanks.
            Default `module:qualname`. A subclass does not inherit it.
        version: Version of the fields under this tag, from 1.

    Raises:
        MessageTypeError: From the class statement, when a rule is broken; see that class for the
            case of annotations that name classes of later.
        TagInUse: Another class has the tag.
    """

    model_config = _CONFIG

    wire_tag: ClassVar[str] = "transport.message:Message"
    wire_version: ClassVar[int] = 1
    # False for classes that another process could not find by their tag: those of a script
    # without a tag of their own, generic templates and their parametrised forms.
    wire_portable: ClassVar[bool] = False

    # For `local_size`: the size every instance has, or None and a function that measures one.
    __local_size__: ClassVar[int | None] = BASE_SIZE
    __local_sizer__: ClassVar[Callable[[Any], int]]

    def __init_subclass__(
        cls, *, tag: str | None = None, version: int = 1, **config: Unpack[ConfigDict]
    ) -> None:
        # Only declares `tag` and `version`; their work is done below, when the fields are known.
        super().__init_subclass__(**config)

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, tag: str | None = None, version: int = 1, **kwargs: Any
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        _check_class(cls)
        cls.wire_tag = _tag_of(cls, tag)
        cls.wire_version = _version_of(cls, version)
        cls.wire_portable = False
        generic = cls.__pydantic_generic_metadata__
        if generic["origin"] is None and not generic["parameters"]:
            cls.wire_portable = tag is not None or cls.__module__ not in SCRIPTS
            _register(cls)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler, /
    ) -> CoreSchema:
        # The place for the check: all annotations are resolved, and when it fails the class stays
        # unusable, at each use anew. Pydantic's hook after completion would be too late for that.
        _check_fields(cls)
        if cls.__pydantic_generic_metadata__["parameters"]:
            return core_schema.no_info_plain_validator_function(_refuse_template(cls))
        return handler(source)

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        sizer = sizer_of({name: field.annotation for name, field in cls.model_fields.items()})
        cls.__local_size__ = BASE_SIZE if sizer is None else None
        if sizer is not None:
            cls.__local_sizer__ = staticmethod(sizer)


R_co = TypeVar("R_co", covariant=True)


class Request(Message, Generic[R_co]):
    """A message that is answered; `class Total(Request[int])` is answered by an int.

    The reply type obeys the rules of field types and has to exist before the request. To make a
    generic request, repeat the parameter: `class Latest(Request[T], Generic[T])`.
    """

    # The type an answer has, NoneType for `Request[None]`; a TypeVar in a generic template.
    reply_type: ClassVar[object] = R_co  # type: ignore[misc]  # the variable itself is meant

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, tag: str | None = None, version: int = 1, **kwargs: Any
    ) -> None:
        cls.reply_type = _reply_type_of(cls)
        super().__pydantic_init_subclass__(tag=tag, version=version, **kwargs)


def find_message(tag: str) -> type[Message] | None:
    """The newest class with this tag, or None when this process has not made one."""
    return _by_tag.get(tag)


def is_current(message_class: type[Message]) -> bool:
    """Whether the class is still the one its tag stands for; False once it was made again.

    Also False for what never had a tag: `Message`, `Request[int]` and generic templates.
    """
    return _by_tag.get(message_class.wire_tag) is message_class
