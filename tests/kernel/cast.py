"""The actors and messages that the kernel's tests play with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pykka

from actors import Actor, ChildSpec, Down, Message, Request, handles, interleave
from actors.kernel.ref import ActorRef

PATIENCE_S = 10.0  # no test waits this long unless something is broken


class Add(Message, tag="test.add"):
    n: int = 1


class Total(Request[int], tag="test.total"):
    pass


class Boom(Message, tag="test.boom"):
    pass


class AskBoom(Request[int], tag="test.ask_boom"):
    pass


class Note(Message, tag="test.note"):
    text: str


class Notes(Request[tuple[str, ...]], tag="test.notes"):
    pass


class Leave(Message, tag="test.leave"):
    pass


class Incarnation(Request[int], tag="test.incarnation"):
    pass


class Counter(Actor):
    """Adds; fails when told to; `made` counts its incarnations if given."""

    def __init__(self, start: int = 0, made: list[int] | None = None) -> None:
        super().__init__()
        self.total = start
        self.made = made if made is not None else []
        self.made.append(len(self.made))

    @handles
    def add(self, message: Add) -> None:
        self.total += message.n

    @handles
    def read(self, message: Total) -> int:
        return self.total

    @handles
    def incarnation(self, message: Incarnation) -> int:
        return len(self.made)

    @handles
    def boom(self, message: Boom) -> None:
        raise ValueError("boom")

    @handles
    def ask_boom(self, message: AskBoom) -> int:
        raise ValueError("boom")

    @handles
    def leave(self, message: Leave) -> None:
        self.stop()


class Notebook(Actor):
    """Writes down notes and Downs, in order."""

    def __init__(self, pages: list[str] | None = None) -> None:
        super().__init__()
        self.pages = pages if pages is not None else []

    @handles
    def note(self, message: Note) -> None:
        self.pages.append(message.text)

    @handles
    def down(self, message: Down) -> None:
        self.pages.append(f"{message.address} {message.reason}")

    @handles
    def read(self, message: Notes) -> tuple[str, ...]:
        return tuple(self.pages)


class Hold(Request[None], tag="test.hold"):
    pass


class Peek(Request[str], tag="test.peek"):
    pass


class Door(Actor):
    """Holds its mailbox until `opened` is set from outside; a thread waits for `entered`."""

    def __init__(self, entered: threading.Event, opened: threading.Event) -> None:
        super().__init__()
        self.entered = entered
        self.opened = opened
        self.notes: list[str] = []

    @handles
    def hold(self, message: Hold) -> None:
        self.entered.set()
        self.opened.wait(PATIENCE_S)

    @handles
    def note(self, message: Note) -> None:
        self.notes.append(message.text)

    @handles
    def read(self, message: Notes) -> tuple[str, ...]:
        return tuple(self.notes)


def notes_in_the_end(door: ActorRef[Actor] | ActorRef[Door]) -> tuple[str, ...]:
    """What a Door had noted when it had handled all; a question might meet a lane still full."""
    actor = door.actor_inbox.actor
    assert isinstance(actor, Door)
    door.stop(drain=True)
    return tuple(actor.notes)


class Sleeper(Actor):
    """Its handler awaits a future; `@interleave` looks in meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.seen: list[str] = []

    @handles
    async def hold(self, message: Hold) -> None:
        self.seen.append("hold")
        await self.gate.wait()
        self.seen.append("held")

    @handles
    def note(self, message: Note) -> None:
        self.seen.append(message.text)

    @handles
    def read(self, message: Notes) -> tuple[str, ...]:
        return tuple(self.seen)

    @handles
    @interleave
    def peek(self, message: Peek) -> str:
        return ",".join(self.seen)

    @handles
    @interleave
    def open(self, message: Add) -> None:
        self.gate.set()


class Parent(Actor):
    """Starts children from specs; says when it stops."""

    def __init__(self, specs: tuple[ChildSpec[Actor], ...], log: list[str] | None = None) -> None:
        super().__init__()
        self.specs = specs
        self.log = log if log is not None else []
        self.refs: list[pykka.ActorRef[Actor]] = []

    def on_start(self) -> None:
        self.refs = [self.spawn(spec) for spec in self.specs]

    def on_stop(self) -> None:
        self.log.append("parent")

    @handles
    def boom(self, message: Boom) -> None:
        raise ValueError("boom")


class Logged(Actor):
    """Says in `log` when it starts and stops."""

    def __init__(self, log: list[str], word: str) -> None:
        super().__init__()
        self.log = log
        self.word = word

    def on_start(self) -> None:
        self.log.append(f"+{self.word}")

    def on_stop(self) -> None:
        self.log.append(f"-{self.word}")

    @handles
    def boom(self, message: Boom) -> None:
        raise ValueError(self.word)


class Call:
    """A message that carries code, for tests of what a handler may do."""

    def __init__(self, work: Callable[[Actor], object]) -> None:
        self.work = work


class Puppet(Actor):
    """Does what it is told, inside."""

    @handles
    async def call(self, message: Call) -> object:
        result = message.work(self)
        return await result if asyncio.iscoroutine(result) else result


class SteppedPuppet(Actor):
    """As Puppet, but its coroutine is stepped by the kernel."""

    @handles(stepped=True)
    async def call(self, message: Call) -> object:
        result = message.work(self)
        return await result if asyncio.iscoroutine(result) else result
