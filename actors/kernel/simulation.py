"""The seeded world: the same actors on one loop with virtual time.

    with simulated(seed=7) as world:
        system = ActorSystem("demo", scheduler=world)
        counter = system.start(Counter, 0)
        counter.tell(Add(n=2))
        assert counter.ask(Total()) == 2       # waiting runs the world

The seed chooses which ready mailbox is served next, how long blocking work takes, and by how
little equal timers differ; never the order inside asyncio's own `call_soon`, which is a
contract. The clock moves only when nothing is runnable. `trace` is a running hash over
(time, actor, message type) of everything that was handled: same seed, same trace.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from actors.kernel.current import ON_LOOP
from actors.kernel.dispatch import Dispatcher
from actors.kernel.errors import KernelError, WouldDeadlock

if TYPE_CHECKING:
    from actors.kernel.future import ThreadReply
    from actors.kernel.mailbox import Mailbox
    from actors.kernel.ports import Clock, LoopName, Pending

R = TypeVar("R")
EPOCH_MS: Final = 1_700_000_000_000  # where the simulated wall clock begins
MAX_STEPS: Final = 5_000_000  # turns of the loop; a schedule that needs more is not ending


class SimulationStuck(KernelError):
    """Nothing is runnable and no timer is set, but somebody still waits."""


class _VirtualSelector:
    """What asyncio asks when it would sleep: the clock jumps instead."""

    def __init__(self, world: SimulatedLoop) -> None:
        self._world = world

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            self._world.idle()
        elif timeout > 0:
            self._world.now += timeout
        return []

    def close(self) -> None:
        """Nothing to close."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """An asyncio loop whose time is virtual and which never touches the machine."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self._selector = _VirtualSelector(self)

    def time(self) -> float:
        """Virtual seconds since the world began."""
        return self.now

    def idle(self) -> None:
        """Nothing is runnable and no timer is set: stop running."""
        self.stop()

    def _process_events(self, event_list: list[object]) -> None:
        """There is no I/O here."""

    def _write_to_self(self) -> None:
        """Everything happens in one thread; nobody needs waking."""

    def _run_once(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            self.stop()
        super()._run_once()  # type: ignore[misc]  # asyncio's own seam for loops


class SimulatedClock:
    """Virtual time, seen through the clock port."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._loop.now

    def wall_ms(self) -> int:
        """Virtual milliseconds since 1970."""
        return EPOCH_MS + int(self._loop.now * 1000)


class SeededDispatcher(Dispatcher):
    """Serves one message of one ready mailbox at a time; the seed says which."""

    def __init__(self, loop: SimulatedLoop, clock: Clock, chance: random.Random) -> None:
        super().__init__("simulated", loop, clock)
        self._chance = chance
        self._trace = hashlib.blake2b(digest_size=16)

    def drain(self) -> None:
        """Serve one ready mailbox, chosen by the seed, and come back."""
        try:
            self.run_calls()
            if self.ready:
                index = self._chance.randrange(len(self.ready))
                mailbox = self.ready[index]
                del self.ready[index]
                self.current = mailbox
                self._serve(mailbox)
        finally:
            self.rest()

    def _serve(self, mailbox: Mailbox) -> None:
        before = self.beats
        try:
            mailbox.run(1)
        except BaseException as error:  # noqa: BLE001 - logged, as on a real loop
            self.broke_off(mailbox, error)
        if self.beats != before:
            kind = type(self.message).__qualname__
            self._trace.update(f"{self.loop.time():.9f} {mailbox.address} {kind};".encode())

    def later(self, delay_s: float, work: Callable[[], object]) -> Pending:
        """A timer; equal times fire in an order that the seed chooses."""
        return self.loop.call_later(delay_s + self._chance.random() * 1e-6, work)

    @property
    def trace(self) -> str:
        """Hash of everything served so far, as 32 hex digits."""
        return self._trace.hexdigest()


class SimulatedWorld:
    """A scheduler that runs everything in the calling thread, from a seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        # a stream per subsystem: one more draw in one must not shift the others
        self.random = random.Random(f"actors {seed}")
        self._io = random.Random(f"io {seed}")
        self.loop = SimulatedLoop()
        self.clock: Clock = SimulatedClock(self.loop)
        self._dispatcher = SeededDispatcher(
            self.loop, self.clock, random.Random(f"schedule {seed}")
        )
        self._dispatcher.attach()
        ON_LOOP.dispatcher = None  # the driver's code is outside; `_run` marks the inside
        self._ordered: dict[str, asyncio.Lock] = {}
        self._closed = False

    @property
    def trace(self) -> str:
        """Hash of everything that was handled; equal for equal seeds."""
        return self._dispatcher.trace

    def dispatcher(self, loop: LoopName) -> Dispatcher:
        """One dispatcher for both loops: the seed interleaves them."""
        return self._dispatcher

    async def run_blocking(self, work: Callable[[], R]) -> R:
        """Run `work` here, after a time that the seed chooses (0 to 10 ms)."""
        await asyncio.sleep(self._io.random() * 0.01)
        return work()

    async def run_ordered(self, queue: str, work: Callable[[], R]) -> R:
        """As `run_blocking`, one at a time per queue."""
        lock = self._ordered.setdefault(queue, asyncio.Lock())
        async with lock:
            return await self.run_blocking(work)

    def wait(self, reply: ThreadReply[R], timeout: float | None) -> None:
        """Run the world until `reply` is done or `timeout` virtual seconds passed.

        Raises:
            SimulationStuck: `reply` can never be done and there is no timeout.
        """
        self.run_until(lambda: reply.done, timeout=timeout, what=reply.address)

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine of the driver to its end.

        Raises:
            SimulationStuck: it waits for something that never comes.
        """
        task = self._dispatcher.task(work, "driver")
        self.run_until(task.done, what="the driver's coroutine")
        return task.result()

    def run_for(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.run_until(lambda: False, timeout=seconds)

    def run_until(
        self, done: Callable[[], bool], *, timeout: float | None = None, what: str = "the world"
    ) -> bool:
        """Run until `done()`, or until `timeout` virtual seconds passed; whether it is done.

        Raises:
            SimulationStuck: nothing is left to run, `done()` is false, and no timeout is given.
            WouldDeadlock: called by an actor, which is inside.
        """
        if self.loop.is_running():
            raise WouldDeadlock(f"waiting for {what}")
        deadline = None if timeout is None else self.loop.now + timeout
        alarm = None if timeout is None else self.loop.call_later(timeout, self.loop.stop)
        try:
            while not done():
                if deadline is not None and self.loop.now >= deadline:
                    return False
                if self._nothing_left():
                    raise SimulationStuck(f"seed {self.seed}: nothing is left to run for {what}")
                self._turn()
        finally:
            if alarm is not None:
                alarm.cancel()
        return True

    def close(self, patience_s: float = 0.0) -> None:
        """Cancel the tasks that are left and close the loop; idempotent."""
        if self._closed or self.loop.is_running():
            return
        self._closed = True
        tasks = self._dispatcher.tasks()
        for task in tasks:
            task.cancel()
        for _ in range(100):
            if all(task.done() for task in tasks):
                break
            self._turn()
        self._dispatcher.closed = True
        self.loop.close()

    def _nothing_left(self) -> bool:
        loop = self.loop
        return not loop._ready and not loop._scheduled  # type: ignore[attr-defined]

    def _turn(self) -> None:
        """One turn of the loop: what is ready now, or the next timer."""
        ON_LOOP.dispatcher = self._dispatcher
        try:
            self.loop.call_soon(self.loop.stop)
            if len(self.loop._ready) == 1:  # type: ignore[attr-defined]
                self._jump()
            # asyncio lets a SystemExit in a task end its loop; the task has kept it, too
            with contextlib.suppress(SystemExit):
                self.loop.run_forever()
        finally:
            ON_LOOP.dispatcher = None
        if self.loop.steps > MAX_STEPS:
            raise SimulationStuck(f"seed {self.seed}: no end after {MAX_STEPS} turns")

    def _jump(self) -> None:
        """Move the clock to the next timer, since nothing else is runnable."""
        scheduled = [
            handle
            for handle in self.loop._scheduled  # type: ignore[attr-defined]
            if not handle.cancelled()
        ]
        if scheduled:
            self.loop.now = max(self.loop.now, min(handle.when() for handle in scheduled))


@contextlib.contextmanager
def simulated(seed: int) -> Iterator[SimulatedWorld]:
    """A world from a seed, closed at the end."""
    world = SimulatedWorld(seed)
    try:
        yield world
    finally:
        world.close()
