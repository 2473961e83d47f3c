"""Errors that cross a node's border, as data: the payload of an ERROR envelope.

A code from a closed list says what happened, a text says it to people, and values go along by
name. An error of the receiver's own comes back by the name that both sides declare; no text from
the wire is ever imported or looked up as an attribute.

Source: design.md §5 Envelope; docs/wire.md, Errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from typing import Any, Final, TypeAlias

from transport.errors import Undecodable
from transport.frozen_map import FrozenMap

__all__ = ["ErrorCode", "ErrorInfo", "Scalar", "error_of", "error_row"]

INTEGER_LIMIT: Final = 2**63
TEXT_CHARACTERS: Final = 500  # of an error's text, and of each text in its details and arguments
TYPE_CHARACTERS: Final = 255
DETAILS: Final = 16
DETAIL_CHARACTERS: Final = 64  # of the name of a detail
ARGUMENTS: Final = 8

Scalar: TypeAlias = bool | int | float | str | None

_NO_DETAILS: Final[FrozenMap[str, str]] = FrozenMap()


class ErrorCode(StrEnum):
    """Why something was not done; the list is closed, a peer that sends another code is refused."""

    FAILED = "failed"  # the handler raised; its supervisor decides what follows
    DECLARED = "declared"  # the handler raised an error that it declares; it lives on
    DEAD = "dead"  # the target has stopped
    FULL = "full"  # its mailbox has no room
    WOULD_BLOCK = "would_block"  # the link has no credit
    UNHANDLED = "unhandled"  # it has no handler for this message
    EXPIRED = "expired"  # the deadline passed before the handler ran
    TOO_BIG = "too_big"
    NOT_WIRED = "not_wired"
    UNAUTHORISED = "unauthorised"
    ASK_CYCLE = "ask_cycle"
    UNDECODABLE = "undecodable"  # the payload is not a message of its tag
    UNKNOWN_MESSAGE = "unknown_message"  # nobody has the tag
    VERSION_MISMATCH = "version_mismatch"
    UNSUPPORTED = "unsupported"  # this side cannot do what the kind asks for
    LOCAL_ONLY = "local_only"
    UNKNOWN_ACTOR = "unknown_actor"
    INTERRUPTED = "interrupted"  # the target was restarted while it handled the message
    STALE_INCARNATION = "stale_incarnation"  # the fence is not the living one's
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error that crosses a node's border: a code, a sentence, and values, never a class.

    Made from whatever is there and always fit to be sent: long texts are cut, halves of surrogate
    pairs replaced, details beyond the sixteenth dropped. Arguments go whole or not at all.

    Attributes:
        code: Why.
        text: One sentence for people, at most 500 characters.
        details: Values by name, as text; at most 16 of 500 characters, names of 64.
        type: For `declared`: the name by which the two sides know the error; looked up among the
            errors that a handler declares, never imported. At most 255 characters, or empty.
        args: For `declared`: its arguments, when all are scalars (an int of at most 64 bits, a
            str of at most 500 characters) and at most 8, else none.
    """

    code: ErrorCode
    text: str
    details: FrozenMap[str, str] = _NO_DETAILS
    type: str = ""
    args: tuple[Scalar, ...] = ()

    def __post_init__(self) -> None:
        details = {
            _cut(name, DETAIL_CHARACTERS): _cut(value, TEXT_CHARACTERS)
            for name, value in islice(self.details.items(), DETAILS)
        }
        args = self.args
        if len(args) > ARGUMENTS or not all(map(_is_sendable, args)):
            args = ()
        for name, value in (
            ("text", _cut(self.text, TEXT_CHARACTERS)),
            ("details", FrozenMap(details)),
            ("type", _cut(self.type, TYPE_CHARACTERS)),
            ("args", tuple(args)),
        ):
            object.__setattr__(self, name, value)


def _cut(text: str, characters: int) -> str:
    return text[:characters].encode("utf-8", "replace").decode()


def _is_sendable(value: object) -> bool:
    if isinstance(value, str):
        return type(value) is str and _cut(value, TEXT_CHARACTERS) == value
    if type(value) is int:
        return -INTEGER_LIMIT <= value < INTEGER_LIMIT
    return value is None or type(value) is bool or type(value) is float


def error_row(error: ErrorInfo) -> tuple[object, ...]:
    """The row of an error: [code, text, [name, value, …], type, [argument, …]]."""
    details = tuple(chain.from_iterable(error.details.items()))
    return error.code.value, error.text, details, error.type, error.args


def error_of(row: object) -> ErrorInfo:
    """The error of a row that came from outside.

    Raises:
        Undecodable: It is none, or breaks a limit.
    """
    code = _CODES.get(row[0]) if type(row) is tuple and row else None
    if code is None or type(row) is not tuple or tuple(map(type, row)) != _TYPES:
        raise Undecodable("an error", "has not the five elements of one, or an unknown code")
    _, text, flat, of_type, args = row
    if len(flat) % 2 or not all(type(part) is str for part in flat):
        raise Undecodable("an error", "has details that are not pairs of texts")
    details = FrozenMap(zip(flat[::2], flat[1::2], strict=True))
    error = ErrorInfo(code, text, details, of_type, args)
    if error_row(error) != row:  # then something was cut
        raise Undecodable("an error", "breaks a limit of its parts")
    return error


_CODES: Final[Mapping[Any, ErrorCode]] = {code.value: code for code in ErrorCode}  # Any: the peer's
_TYPES: Final = (str, str, tuple, str, tuple)
