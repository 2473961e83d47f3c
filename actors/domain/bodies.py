"""What members say to each other: text or a typed message, in one form that can travel.

A body is packed once by its sender. Packed, it is immutable, can be written to the ledger, and
its digest tells two bodies apart (docs/design.md: a peer's message never shares memory with it).
"""

from __future__ import annotations

import hashlib

from actors.domain.errors import MobError, did_you_mean
from transport.message import Message, find_message


class UnknownBody(MobError):
    """No class of this process has the tag `tag`; its module was not imported, or it is gone."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag, hint="import the module that defines the message class")
        self.tag = tag

    def __str__(self) -> str:
        return f"no message class has the tag {self.tag!r}{did_you_mean(self.tag, ())}"


class Body(Message, tag="mob.body"):
    """A packed body: `data` is the text itself when `tag` is None, else the message as JSON."""

    tag: str | None = None
    data: str

    @property
    def digest(self) -> str:
        """32 hex digits; equal bodies have equal digests."""
        content = f"{self.tag or ''}\0{self.data}".encode()
        return hashlib.blake2b(content, digest_size=16).hexdigest()


def pack(body: str | Message) -> Body:
    """Pack a text or a message.

    Raises:
        TypeError: it is neither.
        ValueError: the text is not UTF-8 (it holds a lone surrogate).
    """
    if isinstance(body, str):
        body.encode()  # here, at the sender: nobody further on could handle it
        return Body(data=body)
    if isinstance(body, Message):
        return Body(tag=type(body).wire_tag, data=body.model_dump_json())
    raise TypeError(f"a body is a str or a Message, not {type(body).__name__}")


def unpack(body: Body) -> str | Message:
    """Undo `pack`.

    Raises:
        UnknownBody: this process knows no class with that tag.
        ValueError: the data does not fit the class (pydantic's ValidationError).
    """
    if body.tag is None:
        return body.data
    kind = find_message(body.tag)
    if kind is None:
        raise UnknownBody(body.tag)
    return kind.model_validate_json(body.data)
