"""References: fields of messages that stand for an actor, and travel as its address.

Whoever reads a message says what an address becomes: the reference itself where the actor lives,
the way to it elsewhere. So a reference can only be read inside a system, which knows its actors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["RESOLVER", "Reference", "referent", "resolving"]

Resolver = Callable[[str], object]

# Set it with `resolving`, or by hand where that is too slow.
RESOLVER: Final[ContextVar[Resolver | None]] = ContextVar("RESOLVER", default=None)


class Reference:
    """Base of such a value; `address` is the text of its actor's address."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler, /
    ) -> CoreSchema:
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_plain_validator_function(referent),
            python_schema=core_schema.is_instance_schema(cls),
            serialization=core_schema.plain_serializer_function_ser_schema(
                address_of, when_used="json"
            ),
        )


@contextmanager
def resolving(resolver: Resolver) -> Iterator[None]:
    """Have addresses in messages become what `resolver` makes of them, while this is entered."""
    before = RESOLVER.set(resolver)
    try:
        yield
    finally:
        RESOLVER.reset(before)


def referent(text: object) -> object:
    """What an address in a message becomes here.

    Raises:
        ValueError: Nobody reads messages here, or it is no address.
    """
    resolver = RESOLVER.get()
    if resolver is None:
        raise ValueError("a reference can only be read inside a system, which knows its actors")
    if type(text) is not str:
        raise ValueError("a reference is written as the text of an address")
    return resolver(text)


def address_of(reference: Any) -> str:
    """What a reference is written as.

    Raises:
        ValueError: Its actor has no address that others could use.
    """
    address: str = reference.address
    if not address.startswith("mob://"):
        raise ValueError("an actor without a system has no address")
    return address
