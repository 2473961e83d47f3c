"""Where the time of a tell and of an ask goes: `scripts/bench profile`.

A profiler would cost more than what it measures, so the parts are timed one by one: inside an
actor, on the member loop's thread, on the real mailbox of another actor, many times over. Whole
ways are those of `bench.ours`; what they take beyond their parts stands in the last line of each.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from actors import Actor, ActorSystem, Request, handles
from actors.kernel.cell import Cell
from actors.kernel.future import Reply, ThreadReply
from actors.kernel.ref import ActorRef
from actors.kernel.supervision import ChildSpec
from bench import ours, stopwatch
from bench.ours import Add, Counter, SteppedInterview, Total
from transport.message import FrozenMap
from transport.size import local_size

ROOMY: Final = 1 << 20
"""Messages that the mailbox of the dissected actor holds, so that it is never full."""

NUMBER: Final = 200
"""Calls in a row; few enough that what they leave behind stays in the caches."""

ROUNDS: Final = 200

Parts = dict[str, float]
"""Microseconds by the name of the part."""


class Dissect(Request[FrozenMap[str, float]]):
    """Asks an `Anatomist` for the parts it can time on its loop."""


class Anatomist(Actor):
    """Times the kernel's parts from inside, where no other thread has a share in them."""

    def __init__(self, target: ActorRef[Counter]) -> None:
        super().__init__()
        self.target = target

    @handles
    def dissect(self, message: Dissect) -> FrozenMap[str, float]:
        """Answer the parts, in microseconds each."""
        with stopwatch.timing():  # the collector is at rest
            return FrozenMap(Ways(self.target).parts())


@dataclass(slots=True)
class Ways:
    """The ways into and out of one mailbox, each timed alone, on the loop's thread."""

    target: ActorRef[Counter]

    def parts(self) -> Parts:
        """Return what each part takes, the best of many rounds."""
        cell: Cell = self.target.actor_inbox
        add, question = Add(n=1), Total()
        handler = cell.table[Add]
        actor = cell.actor
        home = cell.dispatcher
        # In a row of asks each finds the one before answered.
        answered: Reply[int] = Reply(home, cell.address)
        answered.settle(0, None)
        return {
            "bump": micros(lambda: cell.bump()),  # noqa: PLW0108 - a lambda's cost is deducted
            "size": micros(lambda: local_size(add)),
            "put": micros(lambda: cell.put(add), after=self.empty),
            "tell": micros(lambda: self.target.tell(add), after=self.empty),
            "send": self.send(add),
            "handler": micros(lambda: handler.call(actor, add)),
            "run": self.run(lambda: cell.put(add)),
            "serve": micros(lambda: self.serve(add)),
            "reply": micros(lambda: Reply(home, cell.address)),
            "expect": micros(lambda: home.expect(answered, 30.0)),
            "request": micros(lambda: self.target.request(question), after=self.empty),
            "run_ask": self.run(lambda: self.target.request(question)),
            "thread_reply": micros(lambda: ThreadReply(cell.realm.scheduler, cell.address)),
        }

    def empty(self) -> None:
        """Have the mailbox handle what was put into it."""
        self.target.actor_inbox.run(ROOMY)

    def send(self, message: Add) -> float:
        """Return the microseconds of one `await send` that finds room, as in a stepped handler."""
        send = self.target.send
        best = float("inf")

        async def work() -> None:
            nonlocal best
            start = time.perf_counter()
            for _ in range(NUMBER):
                await send(message)
            best = min(best, time.perf_counter() - start)

        for _ in range(ROUNDS):
            with contextlib.suppress(StopIteration):  # it never has to wait
                work().send(None)
            self.empty()
        return best / NUMBER * 1e6

    def serve(self, message: Add) -> None:
        """Put one message and serve its mailbox at once, as an ask does each time."""
        cell = self.target.actor_inbox
        cell.put(message)
        cell.dispatcher.ready.popleft().run(64)

    def run(self, put: Callable[[], object]) -> float:
        """Return the microseconds in which the mailbox handles one of many queued messages."""
        cell = self.target.actor_inbox
        best = float("inf")
        for _ in range(ROUNDS):
            for _ in range(NUMBER):
                put()
            start = time.perf_counter()
            cell.run(NUMBER)
            best = min(best, time.perf_counter() - start)
        return best / NUMBER * 1e6


def micros(work: Callable[[], object], *, after: Callable[[], object] = lambda: None) -> float:
    """Return the microseconds of one call of `work`, the best of many rounds.

    `after` tidies up once a round and is not timed. What calling an empty lambda takes is deducted.
    """
    return max(_best(work, after) - _best(lambda: None, lambda: None), 0.0)


def _best(work: Callable[[], object], after: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(NUMBER):
            work()
        best = min(best, time.perf_counter() - start)
        after()
    return best / NUMBER * 1e6


@contextlib.contextmanager
def _stalled_loop(system: ActorSystem) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop of the system's kind that nobody runs, for timing its wake-up from outside."""
    loop = type(system.realm.scheduler.dispatcher("member").loop)()
    try:
        yield loop
    finally:
        loop.close()


def wake_up(system: ActorSystem) -> float:
    """Return the microseconds that waking a loop costs the thread that does it."""
    with _stalled_loop(system) as loop:
        best = float("inf")
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for _ in range(100):
                loop.call_soon_threadsafe(int)
            best = min(best, time.perf_counter() - start)
    return best / 100 * 1e6


def measure(*, quick: bool) -> list[tuple[str, Parts]]:
    """Return each way with its parts; the parts of a way add up to what was measured of it."""
    scale = 1 if quick else 4
    with ActorSystem("bench", watchdog=False) as system:
        target = system.spawn(ChildSpec(Counter, (0,), name="counter", mailbox=ROOMY))
        anatomist = system.start(Anatomist, target, name="anatomist")
        part = dict(anatomist.ask(Dissect(), timeout=300))
        part["wake"] = wake_up(system)
    rounds = range(3 * scale)
    count = 25_000 * scale
    tell = 1e6 / max(ours.tell_from_threads(count, threads=1, fresh=False) for _ in rounds)
    fresh = 1e6 / max(ours.tell_from_threads(count, threads=1, fresh=True) for _ in rounds)
    send = 1e6 / max(ours.tell_between_actors(count, fresh=False) for _ in rounds)
    ask = min(ours.ask_between_actors(count, SteppedInterview, "def") for _ in rounds)
    thread = min(ours.ask_from_thread(count // 10) for _ in rounds)
    make = micros(lambda: Add(n=1))

    told = {
        "count it": part["bump"],
        "measure its size": part["size"],
        "checks, and into the lane": part["put"] - part["size"],
        "the call of tell itself": part["tell"] - part["put"] - part["bump"],
        "out of the lane, find the handler, count": part["run"] - part["handler"],
        "the handler": part["handler"],
    }
    serve = part["serve"] - part["put"] - part["run"]
    asked = {
        "make the Reply": part["reply"],
        "watch its timeout": part["expect"],
        "count, measure, into the lane": part["request"] - part["reply"] - part["expect"],
        "schedule and serve the callee": serve,
        "out of the lane, handler, answer": part["run_ask"],
        "schedule and serve the asker": serve,
    }
    from_thread = {
        "make the ThreadReply": part["thread_reply"],
        "count, measure, into the lane": part["put"] + part["bump"],
        "wake the loop": part["wake"],
        "out of the lane, handler, answer": part["run_ask"],
    }
    return [
        ("tell from 1 thread, message reused", _whole(told, tell, "threads take turns")),
        (
            "tell from 1 thread, new message each",
            _whole({"make the message": make, **told}, fresh, "threads take turns"),
        ),
        (
            "tell between actors (await send), message reused",
            _whole(
                {**told, "send instead of tell": part["send"] - part["tell"]},
                send,
                "waiting for room, and the loop's turns",
            ),
        ),
        (
            "ask between actors, stepped asks, def answers",
            _whole(asked, ask, "step the asker's coroutine, and the loop's turns"),
        ),
        ("ask from a thread", _whole(from_thread, thread, "two threads hand over, there and back")),
    ]


def _whole(parts: Parts, took: float, rest: str) -> Parts:
    return {**parts, rest: took - sum(parts.values())}


def show(*, quick: bool) -> None:
    """Print where the time goes."""
    console = Console(width=None if sys.stdout.isatty() else 100)
    for name, parts in measure(quick=quick):
        console.print(table(name, parts.items()))


def table(name: str, parts: Iterable[tuple[str, float]]) -> Table:
    """Return one way as a table of its parts, the whole in the last line."""
    rows = list(parts)
    whole = sum(took for _, took in rows)
    made = Table(title=name, title_justify="left")
    made.add_column("part", min_width=50)
    made.add_column("us", justify="right")
    made.add_column("share", justify="right")
    for part, took in rows:
        made.add_row(part, f"{took:.3f}", f"{took / whole:.0%}")
    made.add_section()
    made.add_row("all of it", f"{whole:.3f}", "")
    return made
