"""xoscar's side: the same work with its local actor pool, in the main process.

Runs in `.venv-bench/xoscar` and imports nothing of this project. An actor that wants another one of
its pool takes the ref from `xoscar.actor_ref`: a local one, whose calls run in the caller's own
asyncio task under the callee's lock, without a mailbox. (The ref that `create_actor` returned goes
through the pool's channel, also inside the process: about ten times slower per ask.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import xoscar
from pydantic import BaseModel, ConfigDict

from bench import loops, stopwatch

ADDRESS = "test://127.0.0.1"
"""A pool with a free port, so that two runs on one machine do not meet."""


class Add(BaseModel):
    """The message of the measures: strict and frozen, as ours are."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    n: int


class Counter(xoscar.Actor):
    """Adds what it is told; answers its total."""

    handled = 0
    """Messages of all counters."""

    def __init__(self, start: int) -> None:
        self.total = start

    def add(self, message: Add) -> None:
        """Add a number."""
        self.total += message.n
        Counter.handled += 1

    def read(self) -> int:
        """Answer at once."""
        return self.total

    async def read_async(self) -> int:
        """Answer from a coroutine."""
        return self.total


class Driver(xoscar.Actor):
    """Drives a `Counter` from inside an actor; answers the seconds it took."""

    async def __post_create__(self) -> None:
        """Take the local ref, as an actor of the pool does."""
        self.target = await xoscar.actor_ref(self.address, "counter")

    async def flood(self, count: int, fresh: bool) -> float:
        """Tell `count` messages and wait until all are handled."""
        tell, due = self.target.add.tell, Counter.handled + count
        with stopwatch.timing() as taken:
            if fresh:
                for n in range(count):
                    await tell(Add(n=n))
            else:
                message = Add(n=1)
                for _ in range(count):
                    await tell(message)
            await handled(due)
        return taken.seconds

    async def interview(self, count: int) -> float:
        """Ask a `def` method `count` times."""
        read = self.target.read
        with stopwatch.timing() as taken:
            for _ in range(count):
                await read()
        return taken.seconds

    async def interview_async(self, count: int) -> float:
        """Ask an `async def` method `count` times."""
        read = self.target.read_async
        with stopwatch.timing() as taken:
            for _ in range(count):
                await read()
        return taken.seconds


async def handled(due: int) -> None:
    """Wait until the counters have handled `due` messages."""
    while Counter.handled < due:  # noqa: ASYNC110 - an Event would cost each message a look
        await asyncio.sleep(0)


Pool = Any  # xoscar has no types
Ref = Any


async def start_pool() -> tuple[Pool, Ref]:
    """Return a pool in this process and the ref of a `Counter` in it."""
    pool = await xoscar.create_actor_pool(ADDRESS, n_process=0)
    counter = await xoscar.create_actor(Counter, 0, address=pool.external_address, uid="counter")
    return pool, counter


async def drive(method: str, count: int, *arguments: object) -> float:
    """Return the seconds a `Driver` needed for `count` of what `method` does."""
    pool, _ = await start_pool()
    driver = await xoscar.create_actor(Driver, address=pool.external_address, uid="driver")
    await getattr(driver, method)(stopwatch.warm_up(count), *arguments)
    took = float(await getattr(driver, method)(count, *arguments))
    await pool.stop()
    return took


def tell_from_thread(count: int, *, fresh: bool) -> float:
    """Return messages per second, told by a thread outside the loop and handled.

    xoscar has no call for other threads: asyncio's own way takes the coroutine to the loop.
    """
    with loops.LoopThread() as loop:
        pool, counter = loop.call(start_pool)
        message = Add(n=1)

        def work(total: int) -> None:
            due = Counter.handled + total
            for n in range(total):
                sent = counter.add.tell(Add(n=n) if fresh else message)
                asyncio.run_coroutine_threadsafe(sent, loop.loop)
            loop.call(lambda: handled(due))

        work(stopwatch.warm_up(count))
        took = stopwatch.seconds(lambda: work(count))
        loop.call(pool.stop)
    return count / took


def ask_from_thread(count: int) -> float:
    """Return microseconds per ask of a thread outside the loop."""
    with loops.LoopThread() as loop:
        pool, counter = loop.call(start_pool)

        def work(total: int) -> None:
            for _ in range(total):
                asyncio.run_coroutine_threadsafe(counter.read(), loop.loop).result()

        work(stopwatch.warm_up(count))
        took = stopwatch.seconds(lambda: work(count))
        loop.call(pool.stop)
    return took / count * 1e6


async def spawn(count: int) -> float:
    """Return actors started per second."""
    pool, _ = await start_pool()
    address = pool.external_address
    for _ in range(stopwatch.warm_up(count)):
        await xoscar.create_actor(Counter, 0, address=address)
    with stopwatch.timing() as taken:
        for _ in range(count):
            await xoscar.create_actor(Counter, 0, address=address)
    await pool.stop()
    return count / taken.seconds


async def idle_actor(count: int) -> float:
    """Return bytes per actor that has started and does nothing, with the ref to it."""
    pool, counter = await start_pool()
    await counter.read()
    before = stopwatch.resident_bytes()
    actors = [
        await xoscar.create_actor(Counter, 0, address=pool.external_address) for _ in range(count)
    ]
    held = stopwatch.resident_bytes() - before
    await pool.stop()
    return held / len(actors)


async def crowd(count: int) -> dict[str, float]:
    """Return the seconds to start, tell and stop `count` actors, and bytes per actor."""
    pool, _ = await start_pool()
    before = stopwatch.resident_bytes()
    with stopwatch.timing() as start:
        actors = [
            await xoscar.create_actor(Counter, 0, address=pool.external_address)
            for _ in range(count)
        ]
    message = Add(n=1)
    with stopwatch.timing() as tell:
        for actor in actors:
            await actor.add.tell(message)
        await handled(count)
    held = stopwatch.resident_bytes() - before
    with stopwatch.timing() as stop:
        for actor in actors:
            await xoscar.destroy_actor(actor)
        await pool.stop()
    return {
        "start": start.seconds,
        "tell": tell.seconds,
        "stop": stop.seconds,
        "bytes": held / count,
    }


def close() -> None:
    """Leave nothing to end: every measure stops its own pool."""


Figures = float | dict[str, float]


def _on_loop(work: Callable[[int], Coroutine[Any, Any, Figures]]) -> Callable[[int], Figures]:
    return lambda count: loops.run(work(count))


MEASURES: dict[str, Callable[[int], Figures]] = {
    "tell_thread_reused": lambda count: tell_from_thread(count, fresh=False),
    "tell_thread_fresh": lambda count: tell_from_thread(count, fresh=True),
    "tell_actor_reused": lambda count: count / loops.run(drive("flood", count, False)),
    "tell_actor_fresh": lambda count: count / loops.run(drive("flood", count, True)),
    "ask_def": lambda count: loops.run(drive("interview", count)) / count * 1e6,
    "ask_async": lambda count: loops.run(drive("interview_async", count)) / count * 1e6,
    "ask_thread": ask_from_thread,
    "spawn": _on_loop(spawn),
    "idle_actor": _on_loop(idle_actor),
    "crowd": _on_loop(crowd),
}
