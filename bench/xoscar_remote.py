"""xoscar's side between two processes: an actor pool in each, joined by its own tcp (plaintext).

Runs in `.venv-bench/xoscar` and imports nothing of this project. The driver is an actor of the pool
in the first process, the counter one of the second; messages are pydantic objects, pickled.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import xoscar
from pydantic import BaseModel, ConfigDict

from bench import loops, stopwatch
from bench.second import Ready, second

IN_FLIGHT: Final = 256
KB: Final = 1024


class Add(BaseModel):
    """The message of the measures: strict and frozen, as ours are."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    n: int


class Load(BaseModel):
    """Some bytes."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    data: bytes


class Counter(xoscar.Actor):
    """Counts what it is told; answers its total."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, message: Add) -> None:
        """Add a number."""
        self.total += message.n

    def load(self, message: Load) -> None:
        """Add the number of bytes."""
        self.total += len(message.data)

    def read(self) -> int:
        """Answer at once."""
        return self.total


class Driver(xoscar.Actor):
    """Drives a `Counter` of another process from inside an actor; answers the seconds it took."""

    def __init__(self, address: str) -> None:
        self.there = address

    async def __post_create__(self) -> None:
        """Take the ref."""
        self.target = await xoscar.actor_ref(self.there, "counter")

    async def flood(self, count: int, size: int, fresh: bool) -> float:
        """Tell `count` messages; the answer to the last question says that all are handled."""
        target = self.target
        with stopwatch.timing() as taken:
            if size:
                load = Load(data=bytes(size))
                for _ in range(count):
                    await target.load.tell(load)
            elif fresh:
                for n in range(count):
                    await target.add.tell(Add(n=n))
            else:
                add = Add(n=1)
                for _ in range(count):
                    await target.add.tell(add)
            await target.read()
        return taken.seconds

    async def interview(self, count: int, at_once: int) -> float:
        """Ask `count` times with `at_once` on their way, in order."""
        read = self.target.read
        with stopwatch.timing() as taken:
            if at_once == 1:
                for _ in range(count):
                    await read()
            else:
                begun = deque(asyncio.ensure_future(read()) for _ in range(at_once))
                for _ in range(count - at_once):
                    await begun.popleft()
                    begun.append(asyncio.ensure_future(read()))
                for each in begun:
                    await each
        return taken.seconds


def serve(ready: Ready, over: threading.Event) -> None:
    """Have a `Counter` in a pool of this process."""

    async def work() -> None:
        pool = await xoscar.create_actor_pool(f"127.0.0.1:{_free_port()}", n_process=0)
        await xoscar.create_actor(Counter, address=pool.external_address, uid="counter")
        ready(pool.external_address)
        await asyncio.to_thread(over.wait)
        await pool.stop()

    loops.run(work())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def drive(method: str, warm_up: tuple[Any, ...], work: tuple[Any, ...]) -> float:
    """Return the seconds a `Driver` needed, after the warm-up."""

    async def run(there: str) -> float:
        pool = await xoscar.create_actor_pool(f"127.0.0.1:{_free_port()}", n_process=0)
        driver = await xoscar.create_actor(Driver, there, address=pool.external_address)
        await getattr(driver, method)(*warm_up)
        took = float(await getattr(driver, method)(*work))
        await pool.stop()
        return took

    with second("xoscar_remote") as there:
        return loops.run(run(there))


def tell(count: int, *, size: int = 0, fresh: bool = False) -> float:
    """Return messages per second, told by an actor and handled in the other process."""
    return count / drive("flood", (stopwatch.warm_up(count), size, fresh), (count, size, fresh))


def ask(count: int) -> float:
    """Return microseconds per ask of an actor, one at a time."""
    return drive("interview", (stopwatch.warm_up(count), 1), (count, 1)) / count * 1e6


def asks(count: int) -> float:
    """Return answers per second, 256 asks on their way at any time."""
    return count / drive("interview", (IN_FLIGHT, IN_FLIGHT), (count, IN_FLIGHT))


def close() -> None:
    """Leave nothing to end: every measure ends its own processes."""


MEASURES: dict[str, Callable[[int], float]] = {
    "tell_reused": tell,
    "tell_fresh": lambda count: tell(count, fresh=True),
    "tell_1k": lambda count: tell(count, size=KB),
    "tell_64k": lambda count: tell(count, size=64 * KB),
    "ask": ask,
    "asks": asks,
}
