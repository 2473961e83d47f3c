"""The real world: two event loops in two threads, a pool for work that blocks, the clocks.

The *system* loop carries supervisor, registry, reconciler, router and forwarder; the *member*
loop carries members and users' actors. A member that blocks never delays the system loop.
A member that spins in Python delays it by a GIL switch interval at most, which is set to
0.5 ms while a scheduler lives, and restored after the last one; a C call that holds the GIL
delays it for its length.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from actors.kernel.current import ON_LOOP
from actors.kernel.dispatch import Dispatcher
from actors.kernel.forks import keep_over_forks
from actors.kernel.logs import logger_for
from actors.kernel.realm import LOOPS

if TYPE_CHECKING:
    from actors.kernel.future import ThreadReply
    from actors.kernel.ports import Clock, LoopName

logger = logger_for(__name__)

SWITCH_INTERVAL_S: Final = 0.0005  # design §4: a spinning member delays the system loop < 5 ms
CLOSE_S: Final = 2.0
_QUICK: Final = keep_over_forks(threading.Lock())  # leaf; guards `_before`
_before: list[float] = []  # the switch interval that each living LoopThreads found
R = TypeVar("R")


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000


def _switch_quickly() -> None:
    """Shorten the process's switch interval until the last LoopThreads closes."""
    with _QUICK:
        _before.append(sys.getswitchinterval())
        if _before[-1] > SWITCH_INTERVAL_S:
            sys.setswitchinterval(SWITCH_INTERVAL_S)


def _switch_as_before() -> None:
    with _QUICK:
        found = _before.pop(0 if len(_before) == 1 else 1)  # the first one's is restored
        ours = math.isclose(sys.getswitchinterval(), SWITCH_INTERVAL_S, rel_tol=0.01)
        if not _before and ours:  # else somebody set it meanwhile
            sys.setswitchinterval(found)


def debugging() -> bool:
    """Whether MOB_DEBUG is set: a person looks, so deadlines are lifted (design §11)."""
    return os.environ.get("MOB_DEBUG", "") not in ("", "0")


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop, uvloop's where it is installed (extra `fast`, about 10 % faster)."""
    with contextlib.suppress(ImportError):
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()


class LoopThreads:
    """Scheduler of a real process. Made by one thread; any thread may use it."""

    def __init__(self, name: str, *, workers: int = 8) -> None:
        self.clock: Clock = SystemClock()
        self.random = random.Random()
        self.name = name
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._queues: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()  # leaf; guards the pools and `_closed`
        self._closed = False
        self._dispatchers: dict[LoopName, Dispatcher] = {}
        self._threads: list[threading.Thread] = []
        for loop_name in LOOPS:
            dispatcher = Dispatcher(loop_name, new_loop(), self.clock)
            dispatcher.patient = debugging()
            thread = threading.Thread(
                target=self._run, args=(dispatcher,), name=f"{name}-{loop_name}", daemon=True
            )
            self._dispatchers[loop_name] = dispatcher
            self._threads.append(thread)
            thread.start()
        _switch_quickly()

    def dispatcher(self, loop: LoopName) -> Dispatcher:
        """The dispatcher of that loop."""
        return self._dispatchers[loop]

    async def run_blocking(self, work: Callable[[], R]) -> R:
        """Run `work` in the pool (8 threads by default)."""
        with self._lock:
            if self._closed:
                raise RuntimeError(f"the loops of {self.name} are closed")
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, f"{self.name}-work")
            pool = self._pool
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    async def run_ordered(self, queue: str, work: Callable[[], R]) -> R:
        """Run `work` in the one thread of `queue`."""
        with self._lock:
            if self._closed:
                raise RuntimeError(f"the loops of {self.name} are closed")
            pool = self._queues.get(queue)
            if pool is None:
                pool = self._queues[queue] = ThreadPoolExecutor(1, f"{self.name}-{queue}")
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def wait(self, reply: ThreadReply[R], timeout: float | None) -> None:
        """Block the calling thread; it is not one of the loops (`ThreadReply.get` checks)."""
        reply.block(timeout)

    def close(self, patience_s: float = CLOSE_S) -> None:
        """Cancel what is left on the loops, stop them, join their threads (2 s at most)."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            pools = [self._pool, *self._queues.values()]
        for dispatcher in self._dispatchers.values():
            with contextlib.suppress(RuntimeError):  # already closed
                dispatcher.loop.call_soon_threadsafe(dispatcher.loop.stop)
        until = time.monotonic() + patience_s
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(until - time.monotonic(), 0.0))
        for pool in pools:
            if pool is not None:
                # a thread that still works cannot be killed: it is left behind, not waited for
                pool.shutdown(wait=False, cancel_futures=True)
        _switch_as_before()

    def _run(self, dispatcher: Dispatcher) -> None:
        loop = dispatcher.loop
        dispatcher.attach()
        asyncio.set_event_loop(loop)
        try:
            while not self._closed:
                try:
                    loop.run_forever()
                except BaseException:  # asyncio lets SystemExit in a task end its loop; ours stays
                    logger.exception("something on loop %s raised", dispatcher.name)
            tasks = dispatcher.tasks()
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=CLOSE_S / 2))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            dispatcher.closed = True
            ON_LOOP.dispatcher = None
            asyncio.set_event_loop(None)
            loop.close()
