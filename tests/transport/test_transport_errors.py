"""The error tree of the transport: sentences, attributes, copies."""

from __future__ import annotations

import copy
import pickle

import pytest

from transport.errors import (
    AddressError,
    IllegalStep,
    InvalidMessage,
    LocalProtocolError,
    MessageTypeError,
    NotPortable,
    OverLimit,
    PeerViolation,
    RemoteProtocolError,
    RowTooBig,
    SequenceGap,
    TagInUse,
    TooBigForWire,
    TransportError,
    Undecodable,
    UnknownMessage,
    UnknownSession,
    VersionMismatch,
    WouldBlock,
)

ERRORS = [
    AddressError("mob:/a/b", "does not start with 'mob://'", "mob://a/b"),
    MessageTypeError("shop.Order", "items", "list[int]", "is not allowed", "use tuple[int, ...]"),
    MessageTypeError("shop.Order", None, None, "is not allowed", "think again"),
    TagInUse("shop.Order", "order", "store.Order"),
    LocalProtocolError("an envelope", "has an unknown lane"),
    NotPortable("shop.Order", "has no tag", "give it one"),
    TooBigForWire("shop.order", 2_000_000, 1_044_480, "bytes", "send it in parts"),
    RemoteProtocolError("a frame", "came too early"),
    Undecodable("a frame", "has a map"),
    OverLimit("shop.order", 20_001, 20_000, "values"),
    UnknownMessage("shop.order"),
    VersionMismatch("shop.order", 2, 1),
    InvalidMessage("shop.order", "items", "has a member twice"),
    InvalidMessage("shop.order", None, "is not an array of 2 fields"),
    IllegalStep("link", "gone", "opened"),
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


def test_whose_fault_it_is_can_be_caught_by_class() -> None:
    assert issubclass(NotPortable, LocalProtocolError)
    assert issubclass(TooBigForWire, LocalProtocolError)
    for error in (Undecodable, OverLimit, UnknownMessage, VersionMismatch, InvalidMessage):
        assert issubclass(error, RemoteProtocolError)
        assert not issubclass(error, LocalProtocolError)


def test_limits_are_written_with_their_numbers_and_units() -> None:
    assert str(OverLimit("shop.order", 20_001, 20_000, "values")) == (
        "shop.order has 20,001 values, 20,000 are taken"
    )
    assert str(TooBigForWire("shop.order", 2_000_000, 1_044_480, "bytes", "send it in parts")) == (
        "shop.order has 2,000,000 bytes, 1,044,480 may be sent; send it in parts"
    )


def test_a_version_mismatch_names_both_versions() -> None:
    error = VersionMismatch("shop.order", 2, 1)

    assert str(error) == "'shop.order' has version 2 there and 1 here; update the older side"
    assert (error.theirs, error.ours) == (2, 1)


def test_a_tag_from_outside_is_shortened_and_escaped_in_the_sentence() -> None:
    error = UnknownMessage("a\n\x1b[31m" + "x" * 10_000)

    assert len(str(error)) < 200
    assert "\n" not in str(error)
    assert "\x1b" not in str(error)


def test_an_invalid_field_is_named_behind_its_class() -> None:
    assert str(InvalidMessage("shop.order", "items", "has a member twice")) == (
        "shop.order.items has a member twice"
    )


def test_who_broke_the_protocol_is_in_the_class() -> None:
    remote = (PeerViolation, SequenceGap, UnknownSession)

    assert all(issubclass(kind, RemoteProtocolError) for kind in remote)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)


def test_the_sentences_of_the_wire_say_what_and_what_to_do() -> None:
    assert str(IllegalStep("link", "gone", "opened")) == (
        "a link that is gone does not take opened"
    )
    assert str(PeerViolation("protocol", "a batch has rows")) == "a batch has rows"
    assert str(SequenceGap(3, 5)) == "envelope 3 was expected and 5 is spoken of"
    assert "begin a new one" in str(UnknownSession())
    assert "the limit is 1048512" in str(RowTooBig(2_000_000, 1_048_512))
    assert "wait for room" in str(WouldBlock(512, 0, 100))
