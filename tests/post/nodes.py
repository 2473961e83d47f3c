"""Two nodes for the tests: systems of one process, joined by ipc or by tcp with CURVE."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from actors import Actor, ActorSystem, Down, Message, Request, handles, interleave
from transport.allowed import Allowed
from transport.security import new_key_pair

PATIENCE_S = 10.0


class Add(Message, tag="test.post.add"):
    n: int = 1


class Total(Request[int], tag="test.post.total"):
    pass


class Note(Message, tag="test.post.note"):
    text: str


class Notes(Request[tuple[str, ...]], tag="test.post.notes"):
    pass


class Boom(Request[int], tag="test.post.boom"):
    text: str = "boom"


class Declared(Request[int], tag="test.post.declared"):
    known: bool


class Hold(Request[str], tag="test.post.hold"):
    pass


class Peek(Request[str], tag="test.post.peek"):
    pass


class Open(Message, tag="test.post.open"):
    pass


class Ask(Request[str], tag="test.post.ask"):
    """Ask the next address on the way; the last one answers `end`."""

    way: tuple[str, ...]


class SoldOut(Exception):
    """An error of the domain, declared by both sides."""

    def __init__(self, what: str, left: int) -> None:
        super().__init__(what, left)
        self.what = what
        self.left = left


class Postponed(SoldOut):
    """Declared by its base only."""

    def __init__(self) -> None:
        super().__init__("dates", 0)

    def __str__(self) -> str:
        return "no date is left"


class Worker(Actor):
    """Counts, notes, fails, holds, asks on."""

    def __init__(self, system: list[ActorSystem] | None = None) -> None:
        super().__init__()
        self.total = 0
        self.notes: list[str] = []
        self.gate = self.promise()
        self.system = system or []

    @handles
    def add(self, message: Add) -> None:
        self.total += message.n

    @handles
    def read(self, message: Total) -> int:
        return self.total

    @handles
    def note(self, message: Note) -> None:
        self.notes.append(message.text)

    @handles
    def read_notes(self, message: Notes) -> tuple[str, ...]:
        return tuple(self.notes)

    @handles
    def boom(self, message: Boom) -> int:
        raise ValueError(message.text)

    @handles(raises=(SoldOut,))
    def declared(self, message: Declared) -> int:
        raise SoldOut("tickets", 0) if message.known else Postponed()

    @handles
    async def hold(self, message: Hold) -> str:
        return str(await self.gate)

    @handles
    @interleave
    def peek(self, message: Peek) -> str:
        return "peeked"

    @handles
    @interleave
    def open(self, message: Open) -> None:
        self.gate.set("opened")

    @handles
    async def ask(self, message: Ask) -> str:
        if not message.way:
            return "end"
        first, *rest = message.way
        ref: Any = self.system[0].ref(first)
        if rest == ["peek"]:
            return str(await ref.request(Peek()))
        return str(await ref.request(Ask(way=tuple(rest))))


class Doorman(Actor):
    """Holds its whole loop until a thread opens it, so that its mailbox fills."""

    def __init__(self, entered: threading.Event, opened: threading.Event) -> None:
        super().__init__()
        self.entered = entered
        self.opened = opened
        self.notes: list[str] = []

    @handles
    async def hold(self, message: Hold) -> str:
        self.entered.set()
        await asyncio.to_thread(self.opened.wait, PATIENCE_S)
        return "held"

    @handles
    def note(self, message: Note) -> None:
        self.notes.append(message.text)

    @handles
    def read(self, message: Notes) -> tuple[str, ...]:
        return tuple(self.notes)


class Watcher(Actor):
    """Watches whom it is told to; a thread waits for the news."""

    def __init__(self, news: list[Down], came: threading.Event) -> None:
        super().__init__()
        self.news = news
        self.came = came

    @handles
    def down(self, message: Down) -> None:
        self.news.append(message)
        self.came.set()

    @handles
    def watch_it(self, message: Ask) -> str:
        self.watch(self.refs[message.way[0]])
        return "watched"

    refs: ClassVar[dict[str, Any]] = {}


def told_until(full: type[Exception], tell: Callable[[int], object]) -> int:
    """How many were told, with their numbers from 0, before there was no room."""
    for number in range(10_000):
        try:
            tell(number)
        except full:
            return number
    raise AssertionError("there was always room")


@contextmanager
def nodes(kind: str, **options: Any) -> Iterator[tuple[ActorSystem, ActorSystem]]:
    """A server that listens and a client that is connected to it."""
    with made(kind, **options) as (server, client, connect):
        connect()
        yield server, client


@contextmanager
def made(kind: str, **options: Any) -> Iterator[tuple[ActorSystem, ActorSystem, Callable[[], str]]]:
    """The same, not yet connected: the third is what connects them."""
    server_keys, client_keys = new_key_pair("server"), new_key_pair("client")
    allowed = Allowed()
    allowed.allow(client_keys.public, "client", ["host"])
    server = ActorSystem("server", keys=server_keys, allowed=allowed, **options)
    client = ActorSystem("client", keys=client_keys, **options)

    def connect() -> str:
        address = server.listen("ipc" if kind == "ipc" else f"{kind}:*")
        key = None if kind == "ipc" else server_keys.public
        return client.connect(address, key=key, timeout=PATIENCE_S)

    try:
        yield server, client, connect
    finally:
        client.shutdown(1.0)
        server.shutdown(1.0)
