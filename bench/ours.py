"""Our side: the same work with actors that share an event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Literal

from actors import Actor, ActorSystem, Message, Request, handles
from actors.kernel.ref import ActorRef
from bench import stopwatch

ROOM_S = 30.0
"""Seconds a sender waits for room in the mailbox; a full one is how the receiver sets the pace."""

THREADS = 4
"""How many threads tell at once in the rows that say so."""


class Add(Message):
    """Tells a `Counter` a number."""

    n: int


class Total(Request[int]):
    """Asks a `Counter` for its total; a `def` handler answers."""


class AsyncTotal(Request[int]):
    """The same question, answered by an `async` handler, which is an asyncio task."""


class SteppedTotal(Request[int]):
    """The same question, answered by a stepped coroutine."""


Callee = Literal["def", "async", "stepped"]
QUESTIONS: Final[dict[Callee, Request[int]]] = {
    "def": Total(),
    "async": AsyncTotal(),
    "stepped": SteppedTotal(),
}


class Flood(Request[float]):
    """Asks a `Driver` to send `count` messages, the same one or new ones; answers seconds."""

    count: int
    fresh: bool


class Interview(Request[float]):
    """Asks a `Driver` to ask `count` times, from an asyncio task; answers seconds."""

    count: int
    callee: Callee


class SteppedInterview(Interview):
    """The same from a stepped handler."""


class Counter(Actor):
    """Adds what it is told; answers its total."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self.total = start

    @handles
    def add(self, message: Add) -> None:
        """Add a number."""
        self.total += message.n

    @handles
    def read(self, message: Total) -> int:
        """Answer at once."""
        return self.total

    @handles
    async def read_async(self, message: AsyncTotal) -> int:
        """Answer from an asyncio task."""
        return self.total

    @handles(stepped=True)
    async def read_stepped(self, message: SteppedTotal) -> int:
        """Answer from a coroutine that the kernel steps."""
        return self.total


class Driver(Actor):
    """Drives a `Counter` from inside the loop."""

    def __init__(self, target: ActorRef[Counter]) -> None:
        super().__init__()
        self.target = target

    @handles(stepped=True)
    async def flood(self, message: Flood) -> float:
        """Send and wait until all are handled; `send` waits for room, so nothing is refused."""
        send = self.target.send
        with stopwatch.timing() as taken:
            if message.fresh:
                for n in range(message.count):
                    await send(Add(n=n))
            else:
                add = Add(n=1)
                for _ in range(message.count):
                    await send(add)
            await self.target.request(Total())
        return taken.seconds

    @handles
    async def interview(self, message: Interview) -> float:
        """Ask from an ordinary async handler, which is an asyncio task."""
        request, question = self.target.request, QUESTIONS[message.callee]
        with stopwatch.timing() as taken:
            for _ in range(message.count):
                await request(question)
        return taken.seconds

    @handles(stepped=True)
    async def interview_stepped(self, message: SteppedInterview) -> float:
        """Ask from a handler that the kernel steps."""
        request, question = self.target.request, QUESTIONS[message.callee]
        with stopwatch.timing() as taken:
            for _ in range(message.count):
                await request(question)
        return taken.seconds


def tell_from_threads(count: int, *, threads: int, fresh: bool) -> float:
    """Return messages per second, told by so many threads at once and handled."""
    with ActorSystem("bench") as system:
        counter = system.start(Counter, 0, name="counter")
        tell = counter.tell

        def told(each: int) -> None:
            if fresh:
                for n in range(each):
                    tell(Add(n=n), timeout=ROOM_S)
            else:
                message = Add(n=1)
                for _ in range(each):
                    tell(message, timeout=ROOM_S)

        def work(total: int) -> None:
            if threads == 1:
                told(total)
            else:
                tellers = [
                    threading.Thread(target=told, args=(total // threads,)) for _ in range(threads)
                ]
                for teller in tellers:
                    teller.start()
                for teller in tellers:
                    teller.join()
            counter.ask(Total(), timeout=ROOM_S)

        work(stopwatch.warm_up(count))
        return count // threads * threads / stopwatch.seconds(lambda: work(count))


def tell_between_actors(count: int, *, fresh: bool) -> float:
    """Return messages per second, sent by one actor and handled by another of the same loop."""
    warm_up = Flood(count=stopwatch.warm_up(count), fresh=fresh)
    return count / _drive(warm_up, Flood(count=count, fresh=fresh))


def ask_between_actors(count: int, asker: type[Interview], callee: Callee) -> float:
    """Return microseconds per ask of one actor to another of the same loop."""
    warm_up = asker(count=stopwatch.warm_up(count), callee=callee)
    return _drive(warm_up, asker(count=count, callee=callee)) / count * 1e6


def _drive(warm_up: Request[float], question: Request[float]) -> float:
    with ActorSystem("bench") as system:
        counter = system.start(Counter, 0, name="counter")
        driver: ActorRef[Driver] = system.start(Driver, counter, name="driver")
        driver.ask(warm_up, timeout=300)
        return driver.ask(question, timeout=300)


def ask_from_thread(count: int) -> float:
    """Return microseconds per ask of the main thread."""
    with ActorSystem("bench") as system:
        counter = system.start(Counter, 0, name="counter")
        question = Total()

        def work(total: int) -> None:
            for _ in range(total):
                counter.ask(question, timeout=ROOM_S)

        work(stopwatch.warm_up(count))
        return stopwatch.seconds(lambda: work(count)) / count * 1e6


def spawn(count: int) -> float:
    """Return actors started per second; the last one has answered."""
    with ActorSystem("bench") as system:

        def work(total: int) -> None:
            for _ in range(total):
                last = system.start(Counter, 0)
            last.ask(Total(), timeout=ROOM_S)

        work(stopwatch.warm_up(count))
        return count / stopwatch.seconds(lambda: work(count))


def idle_actor(count: int) -> float:
    """Return bytes per actor that has started and does nothing."""
    with ActorSystem("bench") as system:
        system.start(Counter, 0).ask(Total(), timeout=ROOM_S)
        before = stopwatch.resident_bytes()
        actors = [system.start(Counter, 0) for _ in range(count)]
        actors[-1].ask(Total(), timeout=ROOM_S)
        return (stopwatch.resident_bytes() - before) / count


def close() -> None:
    """Leave nothing to end: every measure closes its own system."""


MEASURES: dict[str, Callable[[int], float]] = {
    "tell_thread_reused": lambda count: tell_from_threads(count, threads=1, fresh=False),
    "tell_thread_fresh": lambda count: tell_from_threads(count, threads=1, fresh=True),
    "tell_threads_reused": lambda count: tell_from_threads(count, threads=THREADS, fresh=False),
    "tell_threads_fresh": lambda count: tell_from_threads(count, threads=THREADS, fresh=True),
    "tell_actor_reused": lambda count: tell_between_actors(count, fresh=False),
    "tell_actor_fresh": lambda count: tell_between_actors(count, fresh=True),
    "ask_async_def": lambda count: ask_between_actors(count, Interview, "def"),
    "ask_async_async": lambda count: ask_between_actors(count, Interview, "async"),
    "ask_async_stepped": lambda count: ask_between_actors(count, Interview, "stepped"),
    "ask_stepped_def": lambda count: ask_between_actors(count, SteppedInterview, "def"),
    "ask_stepped_async": lambda count: ask_between_actors(count, SteppedInterview, "async"),
    "ask_stepped_stepped": lambda count: ask_between_actors(count, SteppedInterview, "stepped"),
    "ask_thread": ask_from_thread,
    "spawn": spawn,
    "idle_actor": idle_actor,
}
