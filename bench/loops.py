"""Which event loop the asyncio peers run on: the same kind as ours in that run."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Self, TypeVar

LOOP: Final = "BENCH_LOOP"
"""The environment variable by which the runner tells a sample: `uvloop` or `asyncio`."""

R = TypeVar("R")


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop of the kind the runner asked for, asyncio's when nobody asked.

    Raises:
        ImportError: uvloop was asked for and is not there.
    """
    if os.environ.get(LOOP) != "uvloop":
        return asyncio.new_event_loop()
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def run(work: Coroutine[Any, Any, R]) -> R:  # Any: what a coroutine yields is its loop's business
    """Run a coroutine to its end, as `asyncio.run` does, on a loop of the right kind."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


class LoopThread(AbstractContextManager["LoopThread"]):
    """An event loop in a thread of its own, for measures that come from another thread."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=new_loop)
        self._over = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that runs in the thread."""
        return self._runner.get_loop()

    def call(self, work: Callable[[], Awaitable[R]]) -> R:
        """Run `work` on the loop and wait for its result, as a thread would write it."""

        async def begin() -> R:
            return await work()

        return asyncio.run_coroutine_threadsafe(begin(), self.loop).result()

    def _run(self) -> None:
        with self._runner:
            self._runner.run(self._serve())

    async def _serve(self) -> None:
        self._ready.set()
        await self._over.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
