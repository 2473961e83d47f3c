"""Our side: the same work with actors that share an event loop, and the ledger."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from actors import Actor, ActorSystem, Message, Request, handles
from actors.domain.events import Emitted
from actors.kernel.ref import ActorRef
from actors.stores import open_ledger
from bench import stopwatch

ROOM_S = 30.0
"""Seconds a sender waits for room in the mailbox; a full one is how the receiver sets the pace."""

LEDGER_BATCH = 256
"""Events per transaction: what a group commit of 2 ms collects at the target rate, and more."""


class Add(Message):
    """Tells a `Counter` a number."""

    n: int


class Total(Request[int]):
    """Asks a `Counter` for its total; a `def` handler answers."""


class SteppedTotal(Request[int]):
    """The same question, answered by a stepped coroutine."""


class Flood(Request[float]):
    """Asks a `Driver` to send `count` messages, the same one or new ones; answers seconds."""

    count: int
    fresh: bool


class Interview(Request[float]):
    """Asks a `Driver` to ask `count` times, from an asyncio task; answers seconds."""

    count: int


class SteppedInterview(Request[float]):
    """The same from a stepped handler, to a `def` or to a stepped handler."""

    count: int
    stepped: bool


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
        start = time.perf_counter()
        if message.fresh:
            for n in range(message.count):
                await send(Add(n=n))
        else:
            add = Add(n=1)
            for _ in range(message.count):
                await send(add)
        await self.target.request(Total())
        return time.perf_counter() - start

    @handles
    async def interview(self, message: Interview) -> float:
        """Ask from an ordinary async handler, which is an asyncio task."""
        question = Total()
        start = time.perf_counter()
        for _ in range(message.count):
            await self.target.request(question)
        return time.perf_counter() - start

    @handles(stepped=True)
    async def interview_stepped(self, message: SteppedInterview) -> float:
        """Ask from a handler that the kernel steps."""
        question: Request[int] = SteppedTotal() if message.stepped else Total()
        start = time.perf_counter()
        for _ in range(message.count):
            await self.target.request(question)
        return time.perf_counter() - start


def tell_from_thread(count: int, *, fresh: bool) -> float:
    """Return messages per second, told by the main thread and handled."""
    with ActorSystem("bench") as system:
        counter = system.start(Counter, 0, name="counter")
        tell = counter.tell

        def work() -> None:
            if fresh:
                for n in range(count):
                    tell(Add(n=n), timeout=ROOM_S)
            else:
                message = Add(n=1)
                for _ in range(count):
                    tell(message, timeout=ROOM_S)
            counter.ask(Total(), timeout=ROOM_S)

        return count / stopwatch.seconds(work)


def drive(question: Request[float]) -> float:
    """Return the seconds a `Driver` needed for `question`."""
    with ActorSystem("bench") as system:
        counter = system.start(Counter, 0, name="counter")
        driver: ActorRef[Driver] = system.start(Driver, counter, name="driver")
        return driver.ask(question, timeout=300)


def ask_from_thread(count: int) -> float:
    """Return microseconds per ask of the main thread."""
    with ActorSystem("bench") as system:
        counter = system.start(Counter, 0, name="counter")
        question = Total()

        def work() -> None:
            for _ in range(count):
                counter.ask(question, timeout=ROOM_S)

        return stopwatch.seconds(work) / count * 1e6


def spawn(count: int) -> float:
    """Return actors started per second; the last one has answered."""
    with ActorSystem("bench") as system:

        def work() -> None:
            for _ in range(count):
                last = system.start(Counter, 0)
            last.ask(Total(), timeout=ROOM_S)

        return count / stopwatch.seconds(work)


def idle_actor(count: int) -> float:
    """Return bytes per actor that has started and does nothing."""
    with ActorSystem("bench") as system:
        system.start(Counter, 0).ask(Total(), timeout=ROOM_S)
        before = stopwatch.resident_bytes()
        actors = [system.start(Counter, 0) for _ in range(count)]
        actors[-1].ask(Total(), timeout=ROOM_S)
        return (stopwatch.resident_bytes() - before) / count


def ledger_appends(count: int, *, durability: Literal["full", "normal"]) -> float:
    """Return events per second into a SQLite ledger on the disk of the repository."""
    batch = [
        Emitted(identity=f"worker-{n}", input_id="in-1", kind="finding", data='{"line": 1}')
        for n in range(LEDGER_BATCH)
    ]
    # The system's temporary folder may be memory, where a flush to disk costs nothing.
    home = Path(__file__).resolve().parent.parent / ".venv-bench"
    home.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        ledger = open_ledger(Path(folder), "bench", durability)

        def work() -> None:
            for at_ms in range(count // LEDGER_BATCH):
                ledger.append(batch, at_ms=at_ms)

        try:
            took = stopwatch.seconds(work)
        finally:
            ledger.close()
    return count // LEDGER_BATCH * LEDGER_BATCH / took


def close() -> None:
    """Leave nothing to end: every measure closes its own system."""


MEASURES: dict[str, Callable[[int], float]] = {
    "tell_thread_reused": lambda count: tell_from_thread(count, fresh=False),
    "tell_thread_fresh": lambda count: tell_from_thread(count, fresh=True),
    "tell_actor_reused": lambda count: count / drive(Flood(count=count, fresh=False)),
    "tell_actor_fresh": lambda count: count / drive(Flood(count=count, fresh=True)),
    "ask_actor_task": lambda count: drive(Interview(count=count)) / count * 1e6,
    "ask_actor_def": lambda count: (
        drive(SteppedInterview(count=count, stepped=False)) / count * 1e6
    ),
    "ask_actor_stepped": lambda count: (
        drive(SteppedInterview(count=count, stepped=True)) / count * 1e6
    ),
    "ask_thread": ask_from_thread,
    "spawn": spawn,
    "idle_actor": idle_actor,
    "ledger_full": lambda count: ledger_appends(count, durability="full"),
    "ledger_normal": lambda count: ledger_appends(count, durability="normal"),
}
