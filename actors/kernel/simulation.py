"""The seeded world: the same actors on one loop with virtual time.

    with simulated(seed=7) as world:
        system = ActorSystem("demo", scheduler=world)
        counter = system.start(Counter, 0)
        counter.tell(Add(n=2))
        assert counter.ask(Total()) == 2       # waiting runs the world

The seed chooses (design §4):

- which ready mailbox is served next, and how much is served before the loop's other work is let in;
- which of the timers that are due fires next, and whether a mailbox goes before it;
- when blocking work is done, and when its caller learns of it: at once, so that it is one more
  timer that is due, or after some milliseconds.

It never chooses inside asyncio's own `call_soon` order, which is a contract: a timer that is
chosen goes to the end of that queue. The clock moves only when nothing is runnable. With
`free_choices=k` only the first k choices are the seed's; after them the oldest of everything comes
first and blocking work takes no time, so a failure can be shown with few choices. `trace` is a
running hash over (time, actor, message type) of everything that was handled: same seed, same
`free_choices`, same trace.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import random
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from actors.kernel.current import ON_LOOP
from actors.kernel.dispatch import BATCH, Dispatcher
from actors.kernel.errors import KernelError, WouldDeadlock
from actors.kernel.simulated_loop import Choices, SimulatedLoop

if TYPE_CHECKING:
    from actors.kernel.future import ThreadReply
    from actors.kernel.mailbox import Mailbox
    from actors.kernel.ports import Clock, LoopName

R = TypeVar("R")
EPOCH_MS: Final = 1_700_000_000_000  # where the simulated wall clock begins
MAX_STEPS: Final = 5_000_000  # turns of the loop; a schedule that needs more is not ending
# How many mailboxes are served before the loop's other work, and how many messages of each. A real
# loop serves up to 512 messages, so a task that was just begun may wait for long; and what was
# told from another loop may come later than what the loop has to do besides.
STRIDES: Final = ((1, 1), (1, 1), (1, BATCH), (8, BATCH), (0, 0))


class SimulationStuck(KernelError):
    """Nothing is runnable and no timer is set, but somebody still waits; or it never ends."""


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
    """Serves ready mailboxes, one message or a batch of each; the seed says which."""

    def __init__(self, loop: SimulatedLoop, clock: Clock, choices: Choices) -> None:
        self._trace = hashlib.blake2b(digest_size=16)
        self._message: object = None
        super().__init__("simulated", loop, clock)
        self._choices = choices
        self._sim = loop
        loop.rivals = self.ready

    @property
    def message(self) -> object:
        """What is handled now; the cells set it for every message."""
        return self._message

    @message.setter
    def message(self, message: object) -> None:
        self._message = message
        if self.current is not None:
            kind = type(message).__qualname__
            line = f"{self.loop.time():.9f} {self.current.address} {kind};"
            self._trace.update(line.encode())

    def drain(self) -> None:
        """Serve ready mailboxes, chosen by the seed, and come back."""
        ready, among = self.ready, self._choices.among
        try:
            if self.calls:
                self.run_calls()
            if ready:
                boxes, messages = STRIDES[among(len(STRIDES) if self._sim.pressing else 4)]
                while ready and boxes:
                    boxes -= 1
                    index = among(len(ready))
                    mailbox = ready[index]
                    del ready[index]
                    self.current = mailbox
                    self._serve(mailbox, messages)
        finally:
            self.rest()

    def _serve(self, mailbox: Mailbox, limit: int) -> None:
        try:
            mailbox.run(limit)
        except BaseException as error:  # noqa: BLE001 - logged, as on a real loop
            self.broke_off(mailbox, error)

    @property
    def trace(self) -> str:
        """Hash of everything served so far, as 32 hex digits."""
        return self._trace.hexdigest()


class _Queue:
    """Blocking work that is done one at a time, and whose callers learn of it in that order."""

    __slots__ = ("done", "working")

    def __init__(self) -> None:
        self.working = asyncio.Lock()
        self.done = asyncio.Lock()


class SimulatedWorld:
    """A scheduler that runs everything in the calling thread, from a seed.

    Args:
        seed: Decides every choice, and the random numbers that actors draw (`random`).
        free_choices: How many choices are the seed's (None: all); see the module.
        max_steps: Turns of the loop after which it counts as never ending.
    """

    def __init__(
        self, seed: int, *, free_choices: int | None = None, max_steps: int = MAX_STEPS
    ) -> None:
        self.seed = seed
        self.random = random.Random(f"actors {seed}")
        self._choices = Choices(seed, free_choices)
        self._max_steps = max_steps
        self.loop = SimulatedLoop(self._choices)
        self.clock: Clock = SimulatedClock(self.loop)
        self._dispatcher = SeededDispatcher(self.loop, self.clock, self._choices)
        self._dispatcher.attach()
        ON_LOOP.dispatcher = None  # the driver's code is outside; `_turn` marks the inside
        self._ordered: dict[str, _Queue] = {}
        self._closed = False

    @property
    def trace(self) -> str:
        """Hash of everything that was handled; equal for equal seeds."""
        return self._dispatcher.trace

    @property
    def choices(self) -> int:
        """How many choices the seed has made so far, at most `free_choices`."""
        return self._choices.made

    @property
    def idle(self) -> bool:
        """Whether nothing is left to run and no timer is set."""
        return self.loop.idle()

    def dispatcher(self, loop: LoopName) -> Dispatcher:
        """One dispatcher for both loops: the seed interleaves them."""
        return self._dispatcher

    async def run_blocking(self, work: Callable[[], R]) -> R:
        """Run `work` here after a time that the seed chooses; its end is known after another.

        So whoever waits may be cancelled before it is done, or after it without learning that.
        """
        await self._io()
        try:
            return work()
        finally:
            await self._io()

    async def run_ordered(self, queue: str, work: Callable[[], R]) -> R:
        """As `run_blocking`, one at a time per queue, and its ends are known in that order."""
        line = self._ordered.setdefault(queue, _Queue())
        async with line.working:
            await self._io()
            try:
                value, error = work(), None
            except BaseException as raised:  # noqa: BLE001 - raised again when it is known
                value, error = None, raised
        async with line.done:
            await self._io()
        if error is not None:
            raise error
        return value  # type: ignore[return-value]  # it is what `work` gave

    async def _io(self) -> None:
        """Wait for as long as the seed chooses; also for no time, which lets others go first."""
        done: asyncio.Future[None] = self.loop.create_future()

        def end() -> None:
            if not done.cancelled():
                done.set_result(None)

        timer = self.loop.call_later(self._choices.latency_s(), end)
        try:
            await done
        finally:
            timer.cancel()

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
        """Let virtual time pass; what is due at its end happens, too."""
        self.run_until(lambda: False, timeout=seconds)

    def run_until(
        self, done: Callable[[], bool], *, timeout: float | None = None, what: str = "the world"
    ) -> bool:
        """Run until `done()`, or until `timeout` virtual seconds passed; whether it is done.

        Raises:
            SimulationStuck: nothing is left to run, `done()` is false, and no timeout is given;
                or it does not end.
            WouldDeadlock: called by an actor, which is inside.
        """
        loop = self.loop
        if loop.is_running():
            raise WouldDeadlock(f"waiting for {what}")
        before, hooks = loop.horizon, sys.get_asyncgen_hooks()
        loop.horizon = until = math.inf if timeout is None else loop.now + timeout
        sys.set_asyncgen_hooks(
            firstiter=loop._asyncgen_firstiter_hook,  # type: ignore[attr-defined]  # as asyncio
            finalizer=loop._asyncgen_finalizer_hook,  # type: ignore[attr-defined]
        )
        try:
            while not done():
                if loop.idle(until):
                    if until == math.inf:
                        text = f"seed {self.seed}: nothing is left to run for {what}"
                        raise SimulationStuck(text)
                    loop.now = until
                    return False
                if loop.steps >= self._max_steps:
                    text = f"seed {self.seed}: no end after {self._max_steps} turns"
                    raise SimulationStuck(text)
                self._turn()
        finally:
            loop.horizon = before
            sys.set_asyncgen_hooks(*hooks)
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

    def _turn(self) -> None:
        """One turn of the loop: what is ready now, or the next timer."""
        ON_LOOP.dispatcher = self._dispatcher
        try:
            self.loop.turn()
        finally:
            ON_LOOP.dispatcher = None


@contextlib.contextmanager
def simulated(seed: int, *, free_choices: int | None = None) -> Iterator[SimulatedWorld]:
    """A world from a seed, closed at the end."""
    world = SimulatedWorld(seed, free_choices=free_choices)
    try:
        yield world
    finally:
        world.close()
