"""The error tree of the transport: sentences, attributes, copies."""

from __future__ import annotations

import copy
import pickle

import pytest

from transport import AddressError, MessageTypeError, TagInUse, TransportError

ERRORS = [
    AddressError("mob:/a/b", "does not start with 'mob://'", "mob://a/b"),
    MessageTypeError("shop.Order", "items", "list[int]", "is not allowed", "use tuple[int, ...]"),
    MessageTypeError("shop.Order", None, None, "is not allowed", "think again"),
    TagInUse("shop.Order", "order", "store.Order"),
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
