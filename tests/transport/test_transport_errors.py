"""The error tree of the transport: sentences, attributes, copies."""

from __future__ import annotations

import copy
import pickle

import pytest

from transport.errors import (
    AddressError,
    LocalProtocolError,
    MessageTypeError,
    PeerViolation,
    RemoteProtocolError,
    RowTooBig,
    SequenceGap,
    TagInUse,
    TransportError,
    UnknownSession,
    WouldBlock,
)

ERRORS = [
    AddressError("mob:/a/b", "does not start with 'mob://'", "mob://a/b"),
    MessageTypeError("shop.Order", "items", "list[int]", "is not allowed", "use tuple[int, ...]"),
    MessageTypeError("shop.Order", None, None, "is not allowed", "think again"),
    TagInUse("shop.Order", "order", "store.Order"),
    LocalProtocolError("link", "gone", "opened"),
    PeerViolation("protocol", "a batch has rows"),
    SequenceGap(3, 5),
    UnknownSession(),
    RowTooBig(2_000_000, 1_048_512),
    WouldBlock(512, 0, 100),
]


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_every_error_is_a_transport_error_and_survives_copies(error: TransportError) -> None:
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert isinstance(twin, TransportError)
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


def test_errors_are_also_the_builtin_a_caller_would_expect() -> None:
    assert issubclass(AddressError, ValueError)
    assert issubclass(MessageTypeError, TypeError)


def test_message_type_error_names_class_field_type_and_advice() -> None:
    assert str(ERRORS[1]) == "shop.Order.items: list[int] is not allowed; use tuple[int, ...]"
    assert str(ERRORS[2]) == "shop.Order: is not allowed; think again"


def test_tag_in_use_names_both_classes() -> None:
    assert "shop.Order" in str(ERRORS[3])
    assert "store.Order" in str(ERRORS[3])


def test_a_long_refused_text_is_shortened_in_the_sentence_and_kept_on_the_error() -> None:
    error = AddressError("x" * 10_000, "is no address", "mob://node/x")

    assert len(str(error)) < 200
    assert error.text == "x" * 10_000


def test_who_broke_the_protocol_is_in_the_class() -> None:
    remote = (PeerViolation, SequenceGap, UnknownSession)

    assert all(issubclass(kind, RemoteProtocolError) for kind in remote)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)


def test_the_sentences_of_the_wire_say_what_and_what_to_do() -> None:
    assert str(ERRORS[4]) == "a link that is gone does not take opened"
    assert str(ERRORS[5]) == "a batch has rows"
    assert str(ERRORS[6]) == "envelope 3 was expected and 5 is spoken of"
    assert "begin a new one" in str(ERRORS[7])
    assert "the limit is 1048512" in str(ERRORS[8])
    assert "wait for room" in str(ERRORS[9])
