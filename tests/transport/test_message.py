"""Messages: promises, tags, requests, round trips and names that come later."""

from __future__ import annotations

import enum
import sys
import textwrap
import threading
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import ModuleType
from typing import Annotated, Any, Generic, Literal, TypeVar, assert_type
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    computed_field,
    create_model,
)

from transport import (
    FrozenMap,
    Message,
    MessageTypeError,
    Request,
    TagInUse,
    find_message,
    is_current,
)
from transport import message as message_module

T = TypeVar("T")
R = TypeVar("R")


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


class Add(Message, tag="tests.add", version=3):
    n: int


class Note(Message):
    kind: Literal["note"] = "note"
    text: str


class Alarm(Message):
    kind: Literal["alarm"] = "alarm"
    level: int


class Rich(Message):
    truth: bool
    number: int
    ratio: float
    either: int | float | str | bool | tuple[int, ...] | None
    text: str
    raw: bytes
    uuid: UUID
    moment: datetime
    day: date
    clock: time
    span: timedelta
    price: Decimal
    colour: Colour
    mode: Literal["fast", 1, True, None]
    pairs: tuple[tuple[int, str], ...]
    colours: frozenset[Colour]
    labels: FrozenMap[str, tuple[str, ...]]
    spans: FrozenMap[timedelta, Decimal]
    news: Annotated[Note | Alarm, Field(discriminator="kind")] | None
    inbox: tuple[Annotated[Note | Alarm, Field(discriminator="kind")], ...]


News = Annotated[Note | Alarm, Field(discriminator="kind")]


class Total(Request[int]):
    pass


zones = st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))) | st.none()
news = st.builds(Note, text=st.text()) | st.builds(Alarm, level=st.integers())
rich_messages = st.builds(
    Rich,
    truth=st.booleans(),
    number=st.integers(),
    ratio=st.floats(allow_nan=False),
    either=st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.booleans()
    | st.none()
    | st.lists(st.integers()).map(tuple),
    text=st.text(),
    raw=st.binary(),
    uuid=st.uuids(),
    moment=st.datetimes(timezones=zones),
    day=st.dates(),
    clock=st.times(),
    span=st.timedeltas(),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    colour=st.sampled_from(Colour),
    mode=st.sampled_from(["fast", 1, True, None]),
    pairs=st.lists(st.tuples(st.integers(), st.text())).map(tuple),
    colours=st.frozensets(st.sampled_from(Colour)),
    labels=st.dictionaries(st.text(), st.lists(st.text()).map(tuple)).map(FrozenMap),
    spans=st.dictionaries(st.timedeltas(), st.decimals(allow_nan=False, allow_infinity=False)).map(
        FrozenMap
    ),
    news=news | st.none(),
    inbox=st.lists(news).map(tuple),
)


@given(rich_messages)
def test_json_gives_the_same_message_back(message: Rich) -> None:
    again = Rich.model_validate_json(message.model_dump_json())

    assert again == message
    assert hash(again) == hash(message)


@given(rich_messages)
def test_a_dump_in_python_gives_the_same_message_back(message: Rich) -> None:
    assert Rich.model_validate(message.model_dump()) == message


def test_a_message_cannot_change_and_takes_no_other_fields() -> None:
    add = Add(n=1)

    with pytest.raises(ValidationError, match="frozen"):
        add.n = 2
    with pytest.raises(ValidationError, match="not permitted"):
        Add.model_validate({"n": 1, "m": 2})
    assert add.n == 1


def test_validation_is_strict() -> None:
    for n in ("1", 1.0, True, None):
        with pytest.raises(ValidationError):
            Add.model_validate({"n": n})


def test_a_validation_error_never_shows_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Add.model_validate({"n": "hunter2"})

    assert "hunter2" not in str(caught.value)


def test_tag_and_version_are_those_of_the_class_statement() -> None:
    assert (Add.wire_tag, Add.wire_version, Add.wire_portable) == ("tests.add", 3, True)
    assert find_message("tests.add") is Add


def test_the_default_tag_is_module_and_qualified_name() -> None:
    assert Note.wire_tag == f"{__name__}:Note"
    assert Note.wire_version == 1
    assert Note.wire_portable
    assert find_message(Note.wire_tag) is Note


def test_a_subclass_has_its_own_tag_and_version() -> None:
    class AddMore(Add):
        pass

    assert AddMore.wire_tag == f"{__name__}:{AddMore.__qualname__}"
    assert AddMore.wire_version == 1


def test_an_unknown_tag_finds_nothing() -> None:
    assert find_message("tests.nowhere") is None


@pytest.mark.parametrize("tag", ["", "two words", "line\nend", "x" * 256])
def test_a_tag_has_a_form(tag: str) -> None:
    with pytest.raises(MessageTypeError, match="is not a wire tag"):

        class Bad(Message, tag=tag):
            pass


def test_versions_count_from_one() -> None:
    with pytest.raises(MessageTypeError, match="count from 1"):

        class Bad(Message, version=0):
            pass


def test_an_unknown_class_argument_is_an_error() -> None:
    with pytest.raises(TypeError, match="no keyword arguments"):

        class Bad(Message, tga="x"):  # the point of the test
            pass


def test_a_tag_of_another_class_is_refused_and_the_holder_keeps_it() -> None:
    with pytest.raises(TagInUse) as caught:

        class Sum(Message, tag="tests.add"):
            pass

    assert caught.value.holder == f"{__name__}.Add"
    assert "Sum" in caught.value.message_class
    assert find_message("tests.add") is Add


def test_a_class_made_again_replaces_the_old_one() -> None:
    def cell() -> type[Message]:
        class Greeting(Message, tag="tests.greeting"):
            pass

        return Greeting

    old, new = cell(), cell()

    assert find_message("tests.greeting") is new
    assert is_current(new)
    assert not is_current(old)


def test_threads_that_make_one_class_end_with_one_of_them() -> None:
    made: list[type[Message]] = []
    threads = [
        threading.Thread(target=lambda: made.append(create_model("Raced", __base__=Message)))
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [is_current(cls) for cls in made].count(True) == 1


@pytest.mark.parametrize("script", ["__main__", "__mp_main__"])
def test_a_class_of_a_script_travels_only_with_a_tag_of_its_own(script: str) -> None:
    local = create_model("Scratch", __base__=Message, __module__=script)
    tagged = create_model(
        "Tagged", __base__=Message, __module__=script, __cls_kwargs__={"tag": f"tests.{script}"}
    )

    assert local.wire_tag == f"{script}:Scratch"
    assert not local.wire_portable
    assert tagged.wire_portable
    assert find_message(f"{script}:Scratch") is local


def test_a_class_that_is_refused_takes_no_tag() -> None:
    with pytest.raises(MessageTypeError):

        class Refused(Message, tag="tests.refused"):
            items: list[int]

    assert find_message("tests.refused") is None


def test_the_reply_type_is_known_to_the_class_and_to_mypy() -> None:
    def ask(request: Request[R], answer: R) -> R:
        return answer

    assert_type(ask(Total(), 3), int)
    assert Total.reply_type is int


def test_reply_types_may_be_any_allowed_type() -> None:
    class Names(Request[tuple[str, ...]]):
        pass

    class Nothing(Request[None]):
        pass

    class Latest(Request[News]):
        pass

    class First(Request[Add]):
        pass

    assert Names.reply_type == tuple[str, ...]
    assert Nothing.reply_type is type(None)
    assert Latest.reply_type == News
    assert First.reply_type is Add


def test_a_reply_type_obeys_the_rules_of_fields() -> None:
    with pytest.raises(MessageTypeError, match=r"reply type: list\[int\] .* use tuple\[int, ...\]"):

        class Bad(Request[list[int]]):
            pass


@pytest.mark.parametrize("reply", ["Later", tuple["Later", ...]])  # type: ignore[name-defined]  # noqa: F821
def test_a_reply_type_must_exist_before_its_request(reply: Any) -> None:
    with pytest.raises(MessageTypeError, match="'Later' does not exist yet; define it before"):
        Request[reply]


def test_a_request_without_a_parameter_is_refused_with_a_hint() -> None:
    with pytest.raises(MessageTypeError, match=r"write class Bad\(Request\[int\]\)"):

        class Bad(Request):  # type: ignore[type-arg]  # the point of the test
            pass


def test_a_request_itself_cannot_be_made() -> None:
    with pytest.raises(MessageTypeError, match=r"use Request\[int\]"):
        Request()


def test_generic_requests_pass_their_parameter_on() -> None:
    class Query(Request[R], Generic[R]):
        limit: int = 10

    class Listing(Request[tuple[T, ...]], Generic[T]):
        pass

    class IntQuery(Query[int]):
        pass

    class IntListing(Listing[int]):
        pass

    assert Query.reply_type is R
    assert Query[str].reply_type is str
    assert IntQuery.reply_type is int
    assert IntListing.reply_type == tuple[int, ...]
    assert IntQuery().limit == 10


def test_only_what_can_be_sent_has_a_tag() -> None:
    class Query(Request[R], Generic[R]):
        pass

    for cls in (Message, Request, Request[int], Query, Query[int]):
        assert not is_current(cls)
        assert not cls.wire_portable
        assert find_message(cls.wire_tag) is None
    assert is_current(Total)


def test_state_outside_of_the_fields_is_refused() -> None:
    with pytest.raises(MessageTypeError, match=r"_cache: is a private attribute"):

        class Private(Message):
            _cache: int = PrivateAttr(default=0)

    with pytest.raises(MessageTypeError, match=r"double: is a computed field"):

        class Computed(Message):
            n: int

            @computed_field  # type: ignore[prop-decorator]  # as pydantic's own docs write it
            @property
            def double(self) -> int:
                return 2 * self.n


@pytest.mark.parametrize(
    "config",
    [
        ConfigDict(frozen=False),
        ConfigDict(strict=False),
        ConfigDict(extra="allow"),
        ConfigDict(hide_input_in_errors=False),
        ConfigDict(use_enum_values=True),
    ],
    ids=str,
)
def test_a_subclass_cannot_switch_a_promise_off(config: ConfigDict) -> None:
    with pytest.raises(MessageTypeError, match="breaks a promise of every message"):

        class Bad(Message):
            model_config = config


def test_a_subclass_may_set_the_rest_of_the_configuration() -> None:
    class Titled(Message):
        model_config = ConfigDict(title="A title")

    assert Titled.model_json_schema()["title"] == "A title"


def test_a_subclass_in_a_field_of_its_base_is_dumped_whole_and_then_refused() -> None:
    class Animal(Message):
        pass

    class Dog(Animal):
        name: str

    class Owner(Message):
        pet: Animal

    raw = Owner(pet=Dog(name="Rex")).model_dump_json()

    assert raw == '{"pet":{"name":"Rex"}}'
    with pytest.raises(ValidationError, match="not permitted"):
        Owner.model_validate_json(raw)


def test_a_message_may_name_later_classes_of_its_module() -> None:
    sys.modules["user_later"] = module = ModuleType("user_later")
    try:
        exec(
            textwrap.dedent(
                """
                from __future__ import annotations
                from transport import Message
                class Order(Message):
                    lines: tuple[Line, ...]
                class Line(Message):
                    article: Article
                class Article(Message):
                    name: str
                """
            ),
            vars(module),
        )
        order = module.Order(lines=(module.Line(article=module.Article(name="a")),))
        assert module.Order.model_validate_json(order.model_dump_json()) == order
        assert find_message("user_later:Order") is module.Order
    finally:
        del sys.modules["user_later"]


def test_a_message_may_name_later_classes_of_its_function() -> None:
    class Order(Message):
        lines: tuple[Line, ...]

    class Line(Message):
        article: Article

    class Article(Message):
        name: str

    class Parcel(Message):
        line: Line

    line = Line(article=Article(name="abc"))

    assert Parcel(line=line).line is line
    assert Order(lines=(line,)).lines == (line,)
    assert message_module.local_size(Order(lines=(line,))) == 259


def test_a_later_type_is_checked_at_the_first_use_and_at_every_use_after() -> None:
    class Order(Message):
        lines: Lines

    Lines = list[int]

    for _ in range(2):
        with pytest.raises(MessageTypeError, match=r"lines: list\[int\] .* use tuple\[int, ...\]"):
            Order(lines=[1])


def test_a_later_type_is_checked_by_model_rebuild() -> None:
    class Order(Message):
        lines: Lines

    Lines = list[int]

    with pytest.raises(MessageTypeError, match=r"use tuple\[int, ...\]"):
        Order.model_rebuild()


def test_a_later_type_is_checked_through_the_message_that_holds_it() -> None:
    class Order(Message):
        lines: Lines

    Lines = list[int]

    with pytest.raises(MessageTypeError, match=r"Order.lines: list\[int\]"):

        class Parcel(Message):
            order: Order


def test_a_name_that_never_comes_is_named_at_use() -> None:
    class Order(Message):
        lines: Nowhere  # type: ignore[name-defined]  # noqa: F821  # the point of the test

    class Parcel(Message):
        order: Order

    for cls in (Order, Parcel):
        with pytest.raises(Exception, match="not fully defined; you should define `Nowhere`"):
            cls.model_validate({})


def test_a_message_that_contains_itself_is_refused() -> None:
    with pytest.raises(MessageTypeError, match=r"Node closes a circle \(Node -> Node\)"):

        class Node(Message):
            children: tuple[Node, ...]


def test_a_generic_message_that_contains_itself_is_refused() -> None:
    with pytest.raises(MessageTypeError, match=r"closes a circle \(Tree -> Tree\)"):

        class Tree(Message, Generic[T]):
            children: tuple[Tree[T], ...]

    with pytest.raises(MessageTypeError, match="Self would have no bound"):

        class Branch(Message, Generic[T]):
            children: tuple[Branch[int], ...]


def test_messages_that_contain_each_other_are_refused_at_first_use() -> None:
    class Chicken(Message):
        egg: Egg | None

    class Egg(Message):
        bird: FrozenMap[str, Bird]

    class Bird(Message):
        chicken: Chicken

    for cls in (Chicken, Egg, Bird):
        with pytest.raises(MessageTypeError, match="closes a circle"):
            cls.model_validate({})


def test_two_fields_of_one_type_are_no_circle() -> None:
    class Pair(Message):
        left: Add
        right: Add

    assert Pair(left=Add(n=1), right=Add(n=1)) == Pair(right=Add(n=1), left=Add(n=1))
