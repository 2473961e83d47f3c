"""Handlers: which method answers which message.

`@handles` on a method whose one parameter is annotated with a message class. The return
annotation is the reply class; for a `Request[X]` the two are compared when the class is made.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from actors.kernel.declared import declare
from actors.kernel.errors import HandlerError
from transport.message import Request

F = TypeVar("F", bound=Callable[..., Any])  # Any: a handler's signature is its own

_MARK = "__mob_handles__"
_ASIDE = "__mob_interleave__"


@dataclass(frozen=True, slots=True)
class Marks:
    """What `@handles` was told; `message` and `reply` are resolved where it stands."""

    message: type
    reply: object
    raises: tuple[type[BaseException], ...]
    stepped: bool
    control: bool
    key: Callable[[Any], Hashable] | None


class Handler:
    """One row of a class's handler table."""

    __slots__ = ("call", "control", "interleave", "is_async", "key", "message", "raises", "stepped")

    def __init__(self, call: Callable[..., Any], marks: Marks, *, interleave: bool) -> None:
        self.call = call
        self.message = marks.message
        self.is_async = inspect.iscoroutinefunction(call)
        self.stepped = marks.stepped
        self.raises = marks.raises
        self.interleave = interleave
        self.control = marks.control or interleave
        self.key = marks.key


HandlerTable = dict[type, Handler]


@overload
def handles(method: F, /) -> F: ...
@overload
def handles(
    *,
    stepped: bool = False,
    raises: tuple[type[BaseException], ...] = (),
    control: bool = False,
    coalesce: bool | Callable[[Any], Hashable] = False,
) -> Callable[[F], F]: ...
def handles(
    method: F | None = None,
    /,
    *,
    stepped: bool = False,
    raises: tuple[type[BaseException], ...] = (),
    control: bool = False,
    coalesce: bool | Callable[[Any], Hashable] = False,
) -> F | Callable[[F], F]:
    """Make a method the handler of the message class its parameter is annotated with.

    Args:
        method: `def` or `async def (self, message: SomeMessage) -> ReplyClass`.
        stepped: the kernel steps the coroutine itself: only `ref.request` and `ref.send`
            may be awaited, several times faster than an asyncio task.
        raises: declared domain errors; they are replies, not failures. Askers on other nodes
            get them as themselves when handlers there declare them, too (see docs/wire.md);
            only `args` travel, so give by position what an asker needs. Subclasses count, too,
            and arrive there as the nearest class that is declared.
        control: these messages travel in the CONTROL lane, ahead of USER mail.
        coalesce: a message that is told takes the place of an earlier one that still waits:
            True for any of the class, or a function from a message to a key whose equals replace
            each other. The newest is handled, in the place of the oldest (`audit().coalesced`
            counts the others). Asks, and messages that expire, never coalesce.

    Raises:
        HandlerError: the parameter is not annotated with a class, or `stepped` on a `def`.
    """

    def mark(func: F) -> F:
        key = _any_of_the_class if coalesce is True else coalesce or None
        marks = _read(func, sys._getframe(depth), stepped, raises, control, key)
        setattr(func, _MARK, marks)
        return func

    if method is None:
        depth = 1
        return mark
    depth = 2
    return mark(method)


def interleave(method: F) -> F:
    """Let this read-only handler run while another handler of the actor awaits."""
    setattr(method, _ASIDE, True)
    return method


def table_of(cls: type) -> HandlerTable:
    """The handlers of a class and its bases; a subclass overrides by method name or message.

    Raises:
        HandlerError: two methods of one class handle the same message class.
    """
    table: HandlerTable = {}
    for base in reversed(cls.__mro__):
        seen: dict[type, str] = {}
        for name, member in vars(base).items():
            marks: Marks | None = getattr(member, _MARK, None)
            if marks is None:
                if getattr(member, _ASIDE, False) is True:
                    raise HandlerError(
                        f"{base.__qualname__}.{name} is @interleave but no handler",
                        hint="add @handles",
                    )
                continue
            if marks.message in seen:
                raise HandlerError(
                    f"{base.__qualname__}.{name} and .{seen[marks.message]} both handle "
                    f"{marks.message.__qualname__}",
                    hint="one message class, one handler",
                )
            seen[marks.message] = name
            table[marks.message] = _row(cls, base, name, marks)
    return table


def _row(cls: type, base: type, name: str, marks: Marks) -> Handler:
    """The handler that `cls` has under the name of a marked method of `base`."""
    call = getattr(cls, name)  # an override need not repeat @handles
    if not callable(call):
        raise HandlerError(
            f"{cls.__qualname__}.{name} hides the handler {base.__qualname__}.{name}",
            hint="override it with a method",
        )
    own: Marks = getattr(call, _MARK, marks)
    if own.message is not marks.message:
        raise HandlerError(
            f"{cls.__qualname__}.{name} handles {own.message.__qualname__}, but overrides "
            f"{base.__qualname__}.{name}, which handles {marks.message.__qualname__}",
            hint="give it another name",
        )
    interleave = getattr(call, _ASIDE, getattr(vars(base)[name], _ASIDE, False))
    return Handler(call, own, interleave=interleave)


def find(table: HandlerTable, kind: type) -> Handler | None:
    """The handler of `kind` or of its nearest base class; remembered in the table."""
    for base in kind.__mro__:
        handler = table.get(base)
        if handler is not None:
            table[kind] = handler
            return handler
    return None


def redefined(table: HandlerTable, kind: type) -> bool:
    """Whether the table knows an older class of the same name (a notebook cell ran again)."""
    return any(
        known is not kind
        and known.__qualname__ == kind.__qualname__
        and known.__module__ == kind.__module__
        for known in table
    )


def _read(
    func: Callable[..., Any],
    frame: Any,  # Any: types.FrameType has no useful static members here
    stepped: bool,
    raises: tuple[type[BaseException], ...],
    control: bool,
    key: Callable[[Any], Hashable] | None,
) -> Marks:
    where = f"{func.__module__}.{func.__qualname__}"
    names = list(inspect.signature(func).parameters)
    if len(names) != 2:
        raise HandlerError(
            f"{where} takes {len(names) - 1} parameters besides self; a handler takes one message"
        )
    if stepped and not inspect.iscoroutinefunction(func):
        raise HandlerError(f"{where} is stepped but not async def; drop stepped=True")
    notes = func.__annotations__
    if names[1] not in notes:
        raise HandlerError(
            f"the parameter {names[1]!r} of {where} has no annotation",
            hint="annotate it with the message class it handles",
        )
    message = _resolve(notes[names[1]], func, frame)
    if isinstance(message, str) or not isinstance(message, type):
        raise HandlerError(
            f"the parameter {names[1]!r} of {where} is annotated with {message!r}, not a class",
            hint="define or import the message class above this class",
        )
    reply = _resolve(notes.get("return", inspect.Signature.empty), func, frame)
    _compare(where, message, reply)
    for each in raises:
        declare(each)
    return Marks(message, reply, raises, stepped, control, key)


def _any_of_the_class(_message: object) -> Hashable:
    """The key of messages that stand for each other whatever they say."""
    return True


def _resolve(note: object, func: Callable[..., Any], frame: Any) -> object:
    """The object a (possibly postponed) annotation names, or its text if it names nothing yet."""
    if not isinstance(note, str):
        return note
    names: dict[str, object] = {}
    while frame is not None and frame.f_globals is func.__globals__:
        names = {**frame.f_locals, **names}  # classes local to the functions around
        frame = frame.f_back
    holder = types.SimpleNamespace(__annotations__={"note": note})
    try:
        return typing.get_type_hints(holder, func.__globals__, names)["note"]
    except NameError:
        return note


def _compare(where: str, message: type, reply: object) -> None:
    """Refuse a handler whose return annotation is not the reply its request promises."""
    if not issubclass(message, Request) or reply is inspect.Signature.empty:
        return
    promised = message.reply_type
    if not _fits(reply, promised):
        raise HandlerError(
            f"{where} returns {_text(reply)}, but {message.__name__} promises {_text(promised)}",
            hint="the return annotation and Request[...] must agree",
        )


def _fits(reply: object, promised: object) -> bool:
    """Whether an annotation may be returned for another; True when it cannot be known here."""
    if reply == promised or reply is Any or isinstance(reply, str):
        return True
    if _is_union(reply):
        return all(_fits(part, promised) for part in typing.get_args(reply))
    if _is_union(promised):
        return any(_fits(reply, part) for part in typing.get_args(promised))
    given = type(None) if reply is None else typing.get_origin(reply) or reply
    wanted = typing.get_origin(promised) or promised
    if isinstance(given, type) and isinstance(wanted, type):
        return issubclass(given, wanted) or (given is int and wanted is float)
    return True


def _is_union(note: object) -> bool:
    return typing.get_origin(note) in (typing.Union, types.UnionType)


def _text(note: object) -> str:
    return note.__name__ if isinstance(note, type) else str(note)
