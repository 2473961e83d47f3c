"""Messages and replies as bytes: the laws, and what is refused on the way out and in."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, create_model, field_validator

from tests.transport.message_strategies import exact, messages, replies
from transport import FrozenMap, Message, Request
from transport.codec import (
    decode_local,
    decode_message,
    decode_reply,
    encode_local,
    encode_message,
    encode_reply,
)
from transport.errors import (
    InvalidMessage,
    NotPortable,
    OverLimit,
    RemoteProtocolError,
    TooBigForWire,
    Undecodable,
    UnknownMessage,
    VersionMismatch,
)

T = t.TypeVar("T")


class Add(Message, tag="codec.add"):
    n: int
    who: str


class Nothing(Message, tag="codec.nothing"):
    pass


class Loud(Message, tag="codec.loud", version=3):
    word: str

    @field_validator("word")
    @classmethod
    def check(cls, word: str) -> str:
        if word == "secret":
            raise ValueError(f"{word} is not for everyone")
        if word == "crash":
            raise KeyError(word)
        return word


class Swapped(Message, tag="codec.swapped"):
    a: int = Field(alias="b")
    b: int = Field(alias="c")


class Base(Message, tag="codec.base"):
    n: int


class Derived(Base, tag="codec.derived"):
    more: int


class Holder(Message, tag="codec.holder"):
    base: Base


class Basket(Message, tag="codec.basket"):
    ids: frozenset[UUID] = frozenset()
    prices: FrozenMap[str, int] = FrozenMap()
    lines: tuple[str, ...] = ()


class Page(Message, t.Generic[T]):
    items: tuple[T, ...]


class Shelf(Message, tag="codec.shelf"):
    page: Page[int]


class Total(Request[int], tag="codec.total"):
    pass


class Latest(Request[Base], tag="codec.latest"):
    pass


class Newest(Request[T], t.Generic[T]):
    pass


def class_named(name: str, module: str = __name__) -> t.Any:  # Any: mypy cannot know its fields
    return create_model(name, __base__=Message, __module__=module, n=(int, ...))


def unchecked(message_class: t.Any, **values: object) -> Message:
    message: Message = message_class.model_construct(**values)
    return message


def packed(value: object) -> bytes:
    data: bytes = msgpack.packb(value)
    return data


@given(messages())
@settings(deadline=None)
def test_decode_undoes_encode(message: Message) -> None:
    payload = encode_message(message)

    again = decode_message(message.wire_tag, message.wire_version, payload)

    assert again == message
    assert exact(again) == exact(message)
    assert hash(again) == hash(message)


@given(replies())
@settings(deadline=None)
def test_a_reply_comes_back_as_what_it_was(sample: tuple[type[Request[t.Any]], t.Any]) -> None:
    request_class, value = sample

    again = decode_reply(request_class, encode_reply(request_class, value))

    assert again == value
    assert exact(again) == exact(value)


def test_a_message_is_an_array_of_its_fields_in_the_order_of_declaration() -> None:
    assert encode_message(Add(who="me", n=5)) == packed([5, "me"])
    assert encode_message(Nothing()) == packed([])
    assert encode_message(Holder(base=Base(n=1))) == packed([[1]])


@pytest.mark.parametrize("n", [2**64, -(2**63) - 1, 10**300])
def test_an_integer_beyond_64_bits_goes_as_a_pair(n: int) -> None:
    payload = encode_message(Add(n=n, who="me"))

    (word, digits), who = msgpack.unpackb(payload)
    assert (word, int.from_bytes(digits, "big", signed=True), who) == ("int", n, "me")
    assert decode_message("codec.add", 1, payload) == Add(n=n, who="me")


@pytest.mark.parametrize("n", [2**64 - 1, -(2**63), 0])
def test_an_integer_of_64_bits_goes_as_it_is(n: int) -> None:
    assert encode_message(Add(n=n, who="int")) == packed([n, "int"])
    assert decode_message("codec.add", 1, packed([n, "int"])) == Add(n=n, who="int")


class Measured(Message, tag="codec.measured"):
    values: tuple[float, ...]


def test_floats_keep_their_bits_and_nan_comes_as_nan() -> None:
    message = Measured(values=(0.1, -0.0, float("inf"), float("-inf"), 5e-324, float("nan")))

    again = decode_message("codec.measured", 1, encode_message(message))

    assert repr(again) == repr(message)


def test_aliases_do_not_reach_the_wire() -> None:
    message = Swapped(b=1, c=2)

    payload = encode_message(message)

    assert payload == packed([1, 2])
    assert decode_message("codec.swapped", 1, payload) == message


def test_a_generic_message_inside_another_goes_through() -> None:
    message = Shelf(page=Page[int](items=(1, 2**70)))

    assert decode_message("codec.shelf", 1, encode_message(message)) == message


def test_a_class_that_was_made_again_is_decoded_as_the_new_one() -> None:
    old = class_named("Cell")
    payload = encode_message(old(n=1))
    assert type(decode_message(old.wire_tag, 1, payload)) is old

    new = class_named("Cell")

    assert type(decode_message(old.wire_tag, 1, payload)) is new


class Early(Message, tag="codec.early"):
    late: Late


class Late(Message, tag="codec.late"):
    n: int


def test_a_class_that_names_a_later_one_is_completed_when_its_first_message_comes() -> None:
    assert decode_message("codec.early", 1, packed([[5]])) == Early(late=Late(n=5))


class Orphan(Message, tag="codec.orphan"):
    parent: Nowhere  # type: ignore[name-defined]  # noqa: F821  # the point


def test_a_class_that_cannot_be_completed_is_unknown_to_the_peer() -> None:
    with pytest.raises(UnknownMessage, match=r"codec.orphan"):
        decode_message("codec.orphan", 1, packed([[5]]))


def test_threads_encode_side_by_side() -> None:
    def work(number: int) -> bool:
        sent = [Add(n=number * 2**40 + i, who="x" * (i % 300)) for i in range(500)]
        return [decode_message("codec.add", 1, encode_message(m)) for m in sent] == sent

    with ThreadPoolExecutor(8) as pool:
        equal = list(pool.map(work, range(16)))

    assert all(equal)


# --- Refused on the way out ---------------------------------------------------------------------


def test_a_class_without_a_tag_for_others_is_not_portable_and_the_fix_is_named() -> None:
    local = class_named("Local", "__main__")

    with pytest.raises(NotPortable, match=r"has no tag.*write class Local\(\.\.\., tag='\.\.\.'\)"):
        encode_message(local(n=1))
    with pytest.raises(NotPortable, match=r"write class Page\(\.\.\., tag='\.\.\.'\)"):
        encode_message(Page[int](items=()))


def test_a_subclass_in_a_field_of_its_base_is_not_portable() -> None:
    with pytest.raises(NotPortable, match=r"the value is a Derived; .*declare a union"):
        encode_message(Holder(base=Derived(n=1, more=2)))


def test_text_with_an_unpaired_surrogate_is_not_portable() -> None:
    with pytest.raises(NotPortable, match=r"codec.add holds text with an unpaired surrogate"):
        encode_message(Add(n=1, who="\ud800"))


@pytest.mark.parametrize(
    "message",
    [
        unchecked(Add, n=object(), who="me"),
        unchecked(Add, who="me"),
        unchecked(Basket, ids=frozenset({"no id"}), prices=FrozenMap(), lines=()),
        unchecked(Basket, ids=frozenset(), prices=5, lines=()),
    ],
    ids=["not packable", "missing", "set of others", "no map"],
)
def test_what_was_constructed_without_checks_is_not_portable(message: Message) -> None:
    with pytest.raises(NotPortable, match=r"holds something else than it declares"):
        encode_message(message)


def test_a_message_of_more_bytes_than_a_payload_is_too_big() -> None:
    largest = 1_044_480 - 7  # an array, a number and the head of the text

    assert len(encode_message(Add(n=1, who="x" * largest))) == 1_044_480
    with pytest.raises(TooBigForWire, match=r"1,044,481 bytes, 1,044,480 may be sent"):
        encode_message(Add(n=1, who="x" * (largest + 1)))


def test_a_message_of_more_values_than_a_peer_takes_is_too_big() -> None:
    most = Basket(lines=("",) * 19_996)

    assert decode_message("codec.basket", 1, encode_message(most)) == most
    with pytest.raises(TooBigForWire, match=r"20,001 values, 20,000 may be sent"):
        encode_message(Basket(lines=("",) * 19_997))


def nested(levels: int) -> type[Message]:
    """A class whose messages are that many arrays in each other."""
    made: t.Any = Nothing
    for level in range(levels - 1):
        made = create_model(
            f"Level{level}", __base__=Message, __module__=__name__, inner=(made, made())
        )
    inner: type[Message] = made
    return inner


def test_a_class_of_32_levels_is_the_deepest_that_goes() -> None:
    deepest = nested(32)()

    payload = encode_message(deepest)

    assert payload == b"\x91" * 31 + b"\x90"
    assert decode_message(deepest.wire_tag, 1, payload) == deepest
    with pytest.raises(NotPortable, match=r"nests up to 33 arrays in each other"):
        encode_message(nested(33)())


def test_a_reply_of_another_type_is_refused_where_it_was_made() -> None:
    wrong: t.Any = "no number, a secret"

    with pytest.raises(NotPortable, match=r"the reply to codec.total is not valid") as caught:
        encode_reply(Total, wrong)
    assert "secret" not in str(caught.value)


def test_a_reply_that_is_a_message_must_be_of_the_declared_class() -> None:
    assert decode_reply(Latest, encode_reply(Latest, Base(n=1))) == Base(n=1)
    with pytest.raises(NotPortable, match=r"the value is a Derived"):
        encode_reply(Latest, Derived(n=1, more=2))


def test_a_request_template_has_no_replies() -> None:
    with pytest.raises(NotPortable, match=r"has no type; ask a subclass that names it"):
        encode_reply(Newest, 5)


# --- Refused on the way in ----------------------------------------------------------------------


def test_an_unknown_tag_is_named() -> None:
    with pytest.raises(UnknownMessage, match=r"the tag 'codec.unheard' names no message class"):
        decode_message("codec.unheard", 1, packed([]))


def test_nobody_outside_reaches_a_class_that_has_no_tag_for_others() -> None:
    local = class_named("Hidden", "__main__")

    with pytest.raises(UnknownMessage):
        decode_message(local.wire_tag, 1, packed([5]))


def test_another_version_is_refused_and_both_are_named() -> None:
    with pytest.raises(VersionMismatch, match=r"'codec.loud' has version 4 there and 3 here"):
        decode_message("codec.loud", 4, packed(["hello"]))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ([], "codec.add is not an array of 2 fields"),
        ([1, "me", 3], "codec.add is not an array of 2 fields"),
        (5, "codec.add is not an array of 2 fields"),
        ([True, "me"], r"codec.add.n is not valid \(int_type\)"),
        ([1.5, "me"], r"codec.add.n is not valid \(int_"),
        ([None, "me"], r"codec.add.n is not valid \(int_type\)"),
        ([b"5", "me"], r"codec.add.n is not valid \(int_type\)"),
        ([[b"5"], "int"], "codec.add.n is an array where an integer belongs"),
        ([["int", b""], "me"], "codec.add.n is an array where an integer belongs"),
        ([5, b"me"], r"codec.add.who is not valid \(string_type\)"),
        ([5, ["me"]], r"codec.add.who is not valid \(string_type\)"),
    ],
)
def test_fields_of_other_types_are_refused_and_named(row: object, problem: str) -> None:
    with pytest.raises(InvalidMessage, match=problem):
        decode_message("codec.add", 1, packed(row))


def test_the_innermost_message_that_refuses_is_named() -> None:
    with pytest.raises(InvalidMessage, match=r"codec.base.n is not valid") as caught:
        decode_message("codec.holder", 1, packed([["one"]]))
    assert (caught.value.tag, caught.value.field) == ("codec.base", "n")


@pytest.mark.parametrize(
    ("word", "problem"), [("secret", r"\(value_error\)"), ("crash", r"\(KeyError\)")]
)
def test_what_a_validator_says_about_the_value_is_not_repeated(word: str, problem: str) -> None:
    with pytest.raises(InvalidMessage, match=f"is not valid {problem}") as caught:
        decode_message("codec.loud", 3, packed([word]))
    assert word not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_keys_of_a_map_do_not_get_into_the_error() -> None:
    with pytest.raises(InvalidMessage, match=r"codec.basket.prices is not valid") as caught:
        decode_message("codec.basket", 1, packed([[], ["secret", "no number"], []]))
    assert "secret" not in str(caught.value)


def test_many_errors_are_only_counted() -> None:
    with pytest.raises(InvalidMessage, match=r"codec.basket is invalid in 10,000 places"):
        decode_message("codec.basket", 1, packed([[], [], [5] * 10_000]))


def test_a_payload_above_the_limit_is_not_looked_at() -> None:
    with pytest.raises(OverLimit, match=r"1,044,481 bytes, 1,044,480 are taken"):
        decode_message("codec.add", 1, b"\xc1" * 1_044_481)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        packed([1, "me"])[:-1],
        packed([1, "me"]) + b"\xc0",
        packed({"n": 1, "who": "me"}),
        packed([{}, "me"]),
        packed([msgpack.ExtType(5, b"x"), "me"]),
        packed([msgpack.ExtType(5, b""), "me"]),
        packed([msgpack.Timestamp(5), "me"]),
        b"\x92\xc7\x0c\xff" + b"\xff" * 12 + b"\xa0",
        b"\x92\x01\xa3\xed\xa0\x80",
        b"\x92\x01\xdb\xff\xff\xff\xff",
    ],
    ids=[
        "empty",
        "reserved",
        "cut",
        "longer",
        "map",
        "empty map",
        "extension",
        "empty extension",
        "timestamp",
        "overflowing timestamp",
        "surrogate",
        "forged length",
    ],
)
def test_bytes_outside_of_the_wires_part_of_msgpack_are_undecodable(payload: bytes) -> None:
    with pytest.raises(Undecodable, match=r"codec.add is not msgpack without maps and extensions"):
        decode_message("codec.add", 1, payload)


@given(
    st.sampled_from(["codec.add", "codec.basket", "codec.holder", "codec.shelf", "codec.nobody"]),
    st.binary(max_size=2000),
)
def test_any_bytes_raise_only_remote_protocol_errors(tag: str, payload: bytes) -> None:
    for decode in (
        lambda: decode_message(tag, 1, payload),
        lambda: decode_reply(Latest, payload),
        lambda: decode_reply(Total, payload),
    ):
        try:
            decoded = decode()
        except RemoteProtocolError:
            continue
        assert isinstance(decoded, (Message, int))


def test_a_reply_of_another_type_is_refused_on_arrival() -> None:
    with pytest.raises(InvalidMessage, match=r"the reply to codec.total is not valid"):
        decode_reply(Total, packed("five"))
    with pytest.raises(InvalidMessage, match=r"codec.base is not an array of 1 fields"):
        decode_reply(Latest, packed([]))


class OnlyHere(Message):
    n: int
    big: int = 0


OnlyHere.wire_portable = False  # as a class of __main__ without a tag


def test_a_wire_inside_the_process_needs_no_tag() -> None:
    for message in (OnlyHere(n=1), OnlyHere(n=2, big=2**70)):
        assert decode_local(OnlyHere, encode_local(message)) == message
    with pytest.raises(NotPortable):
        encode_message(OnlyHere(n=1))
