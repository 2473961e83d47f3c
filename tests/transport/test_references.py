"""Refs are fields of messages: they travel as addresses and become refs again."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from transport.codec import decode_message, decode_reply, encode_message, encode_reply
from transport.errors import InvalidMessage, MessageTypeError, NotPortable
from transport.frozen_map import FrozenMap
from transport.message import Message, Reference, Request, resolving


class Ref(Reference):
    """A reference as simple as can be."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other.address == self.address

    def __hash__(self) -> int:
        return hash(self.address)


class Subscribe(Message, tag="test.ref.subscribe"):
    who: Ref
    others: tuple[Ref, ...] = ()
    by_name: FrozenMap[str, Ref] = FrozenMap()
    best: Ref | None = None


class WhoIs(Request[Ref], tag="test.ref.who_is"):
    pass


A, B = Ref("mob://node/a"), Ref("mob://node/b")


def test_references_come_back_as_what_the_reader_makes_of_their_addresses() -> None:
    message = Subscribe(who=A, others=(A, B), by_name=FrozenMap({"b": B}), best=B)

    with resolving(Ref):
        found = decode_message("test.ref.subscribe", 1, encode_message(message))

    assert found == message


def test_a_reply_may_be_a_reference() -> None:
    with resolving(Ref):
        assert decode_reply(WhoIs, encode_reply(WhoIs, A)) == A


def test_references_go_through_json_where_somebody_reads_them() -> None:
    text = Subscribe(who=A).model_dump_json()

    with resolving(Ref):
        assert Subscribe.model_validate_json(text) == Subscribe(who=A)


def test_nobody_reads_them_outside_a_system() -> None:
    payload = encode_message(Subscribe(who=A))

    with pytest.raises(InvalidMessage, match="who is not valid"):
        decode_message("test.ref.subscribe", 1, payload)


def test_an_actor_without_an_address_does_not_leave() -> None:
    with pytest.raises(NotPortable, match=r"Subscribe\.who"):
        encode_message(Subscribe(who=Ref("urn:uuid:1")))


def test_another_value_is_no_reference() -> None:
    wrong: Any = "mob://node/a"

    with pytest.raises(ValidationError):
        Subscribe(who=wrong)


@pytest.mark.parametrize("bytes_", [b"\x94\x01\x90\x90\xc0", b"\x94\xa1x\x90\x90\xc0"])
def test_what_is_no_address_is_refused(bytes_: bytes) -> None:
    def parse(text: str) -> Ref:
        if not text.startswith("mob://"):
            raise ValueError("no address")
        return Ref(text)

    with resolving(parse), pytest.raises(InvalidMessage):
        decode_message("test.ref.subscribe", 1, bytes_)


def test_a_reference_and_a_text_in_one_union_cannot_be_told_apart() -> None:
    with pytest.raises(MessageTypeError):

        class Either(Message, tag="test.ref.either"):
            what: Ref | str
