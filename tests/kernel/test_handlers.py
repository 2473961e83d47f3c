"""What `@handles` accepts, what it refuses, and whom it calls."""

from __future__ import annotations

from typing import Any, NewType

import pytest

from actors import Actor, ActorSystem, Message, Request, ThreadActor, handles, interleave
from actors.kernel.errors import HandlerError, Unhandled
from tests.kernel.cast import Add, Call, Counter, Note, Puppet, Total


class Base(Message, tag="test.base"):
    pass


class Derived(Base, tag="test.derived"):
    pass


class Who(Request[str], tag="test.who"):
    pass


class MaybeInt(Request[int | None], tag="test.maybe_int"):
    pass


class Fraction(Request[float], tag="test.fraction"):
    pass


def test_def_and_async_def_handlers_are_chosen_by_the_type_of_the_message(
    system: ActorSystem,
) -> None:
    class Both(Actor):
        @handles
        def one(self, message: Total) -> int:
            return 1

        @handles
        async def two(self, message: Who) -> str:
            return "two"

    ref = system.start(Both)

    assert ref.ask(Total()) == 1
    assert ref.ask(Who()) == "two"


def test_messages_of_classes_local_to_a_function_are_resolved(system: ActorSystem) -> None:
    class Local(Request[int], tag="test.local"):
        pass

    class Owner(Actor):
        @handles
        def local(self, message: Local) -> int:
            return 3

    assert system.start(Owner).ask(Local()) == 3


def test_a_handler_of_a_base_class_takes_messages_of_its_subclasses(system: ActorSystem) -> None:
    class Taker(Actor):
        @handles
        def take(self, message: Base) -> str:
            return type(message).__name__

    assert system.start(Taker).ask(Derived()) == "Derived"


def test_the_nearest_handler_takes_the_message(system: ActorSystem) -> None:
    class Taker(Actor):
        @handles
        def base(self, message: Base) -> str:
            return "base"

        @handles
        def derived(self, message: Derived) -> str:
            return "derived"

    ref = system.start(Taker)

    assert (ref.ask(Base()), ref.ask(Derived())) == ("base", "derived")


def test_a_subclass_overrides_a_handler_without_marking_it_again(system: ActorSystem) -> None:
    class Double(Counter):
        def add(self, message: Add) -> None:
            self.total += 2 * message.n

    ref = system.start(Double)
    ref.tell(Add(n=3))

    assert ref.ask(Total()) == 6


def test_a_subclass_overrides_a_handler_by_its_message(system: ActorSystem) -> None:
    class Negative(Counter):
        @handles
        def subtract(self, message: Add) -> None:
            self.total -= message.n

    ref = system.start(Negative)
    ref.tell(Add(n=3))

    assert ref.ask(Total()) == -3


def test_on_receive_takes_what_no_handler_takes(system: ActorSystem) -> None:
    class Open(Actor):
        @handles
        def total(self, message: Total) -> int:
            return 1

        def on_receive(self, message: Any) -> Any:
            return f"got {message}"

    ref = system.start(Open)

    assert ref.ask(Total()) == 1
    assert ref.ask("plain") == "got plain"
    assert ref.ask({"a": 1}) == "got {'a': 1}"


def test_a_message_without_handler_is_answered_unhandled(system: ActorSystem) -> None:
    ref = system.start(Counter)

    with pytest.raises(Unhandled, match=r"no handler for Note .*@handles"):
        ref.ask(Note(text="x"))

    assert ref.is_alive()


def test_a_class_defined_again_is_named_as_the_cause(system: ActorSystem) -> None:
    def define() -> type[Message]:
        class Cell(Message):
            pass

        return Cell

    old = define()

    class Taker(Actor):
        @handles
        def take(self, message: old) -> None:  # type: ignore[valid-type]  # as a notebook has it
            pass

    ref = system.start(Taker)

    with pytest.raises(Unhandled, match="defined again after this actor started"):
        ref.ask(define()())


def test_wrong_declarations_are_refused_when_the_class_is_made() -> None:
    with pytest.raises(HandlerError, match="takes 2 parameters"):

        class _Two(Actor):
            @handles
            def two(self, a: Add, b: Add) -> None: ...

    with pytest.raises(HandlerError, match="has no annotation"):

        class _Bare(Actor):
            @handles
            def bare(self, message): ...  # type: ignore[no-untyped-def]  # that is the mistake

    with pytest.raises(HandlerError, match="not a class"):

        class _Text(Actor):
            @handles
            def text(self, message: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(HandlerError, match="stepped but not async def"):

        class _Stepped(Actor):
            @handles(stepped=True)
            def stepped(self, message: Add) -> None: ...

    with pytest.raises(HandlerError, match=r"\.a both handle|\.b and \.a both handle"):

        class _Twice(Actor):
            @handles
            def a(self, message: Add) -> None: ...

            @handles
            def b(self, message: Add) -> None: ...

    with pytest.raises(HandlerError, match="@interleave but no handler"):

        class _Aside(Actor):
            @interleave
            def aside(self, message: Add) -> None: ...


def test_an_override_for_another_message_is_refused() -> None:
    with pytest.raises(HandlerError, match=r"add handles Note, but overrides Counter.add"):

        class _Other(Counter):
            @handles
            def add(self, message: Note) -> None: ...  # type: ignore[override]  # the mistake


def test_hiding_a_handler_behind_something_else_is_refused() -> None:
    with pytest.raises(HandlerError, match=r"hides the handler Counter\.add"):

        class _Hidden(Counter):
            add = None  # type: ignore[assignment]  # that is the mistake


@pytest.mark.parametrize("reply", [str, None, int | None, list[int]])
def test_a_reply_that_does_not_fit_the_request_is_refused(reply: Any) -> None:
    def read(self: Actor, message: Total) -> object: ...

    read.__annotations__ = {"message": Total, "return": reply}

    with pytest.raises(HandlerError, match="but Total promises int"):
        handles(read)


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        (Total, int),
        (Total, bool),
        (Total, Any),
        (MaybeInt, None),
        (MaybeInt, int),
        (MaybeInt, int | None),
        (Fraction, int),
        (Total, NewType("Number", int)),  # what cannot be judged here is left to mypy
    ],
)
def test_a_reply_that_fits_is_accepted(message: type, reply: Any) -> None:
    def read(self: Actor, message: Any) -> object: ...

    read.__annotations__ = {"message": message, "return": reply}

    assert handles(read) is read


def test_a_thread_actor_refuses_handlers_that_need_a_loop() -> None:
    with pytest.raises(HandlerError, match="plain def"):

        class _Async(ThreadActor):
            @handles
            async def add(self, message: Add) -> None: ...

    with pytest.raises(HandlerError, match="plain def"):

        class _Control(ThreadActor):
            @handles(control=True)
            def add(self, message: Add) -> None: ...


def test_a_handler_may_return_an_answer_that_comes_later(system: ActorSystem) -> None:
    class Front(Actor):
        def __init__(self, back: Any) -> None:
            super().__init__()
            self.back = back
            self.promised: Any = None

        @handles
        def total(self, message: Total) -> Any:
            return self.back.request(message)

        @handles
        def who(self, message: Who) -> Any:
            self.promised = self.promise()
            return self.promised

        @handles
        def note(self, message: Note) -> None:
            self.promised.set(message.text)

    ref = system.start(Front, system.start(Counter, 5))
    later = ref.ask(Who(), block=False)
    ref.tell(Note(text="now"))

    assert ref.ask(Total()) == 5
    assert later.get(timeout=5) == "now"


def test_an_async_handler_may_use_any_asyncio_library(system: ActorSystem) -> None:
    import asyncio

    async def library(_: Actor) -> str:
        async with asyncio.timeout(5):
            first, second = await asyncio.gather(asyncio.sleep(0, "a"), asyncio.sleep(0, "b"))
        return first + second

    assert system.start(Puppet).ask(Call(library)) == "ab"
