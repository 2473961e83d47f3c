"""Blocking work in the foreground of a terminal, and what happens when somebody presses Ctrl-C.

The work runs in a thread; this thread does nothing but listen. So a signal is acted on at once,
whatever the work waits for. The handler itself only puts a word into a queue whose `put` is
reentrant (a `threading.Event` may not be set in a handler: it locks, and the thread that is
interrupted may hold that lock).
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Final, Self, TypeVar

from actors.cli.failures import INTERRUPTED

T = TypeVar("T")
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
STEP_S: Final = 0.1
SHOW_CURSOR: Final = b"\x1b[?25h"


class Interrupted(Exception):
    """The first signal came; the work goes on in its thread until somebody ends it."""


class Foreground:
    """Runs one piece of work after the other and counts signals meanwhile.

    The first signal is told to `on_first` (from this thread, at once); the second one, whatever
    is going on, ends the process on the spot with exit code 130. To be used as a context manager
    in the main thread.
    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self._on_first = on_first
        self._news: SimpleQueue[_Done | None] = SimpleQueue()  # None: a signal
        self._before: list[Callable[[int, FrameType | None], object] | int | None] = []
        self.signals = 0

    def __enter__(self) -> Self:
        self._before = [signal.signal(each, self._heard) for each in SIGNALS]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, handler in zip(SIGNALS, self._before, strict=True):
            signal.signal(each, signal.SIG_DFL if handler is None else handler)

    def run(self, work: Callable[[], T], *, leave: bool) -> T:
        """Run `work` to its end; returns what it returns, raises what it raises.

        Args:
            work: Blocking; called in a daemon thread.
            leave: Whether the first signal ends the wait.

        Raises:
            Interrupted: `leave` was set, and a signal has come, now or earlier.
        """
        if leave and self.signals:
            raise Interrupted
        values: list[T] = []
        done = _Done()

        def body() -> None:
            try:
                values.append(work())
            except BaseException as error:  # noqa: BLE001 - it is raised again in `run`
                done.error = error
            self._news.put(done)

        threading.Thread(target=body, name="mob run", daemon=True).start()
        while (news := self._next()) is not done:
            if news is not None:
                continue  # an earlier work that was left has ended
            self._count()
            if leave:
                raise Interrupted
        if done.error is not None:
            raise done.error
        return values[0]

    def _next(self) -> _Done | None:
        while True:
            # In small steps: a signal that comes between the interpreter's last look for one and
            # the wait itself does not end the wait, and its handler would run only after it.
            with suppress(Empty):
                return self._news.get(timeout=STEP_S)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._news.put(None)

    def _count(self) -> None:
        self.signals += 1
        if self.signals > 1:
            _end_now()
        self._on_first()


class _Done:
    """That a piece of work has ended, and how."""

    def __init__(self) -> None:
        self.error: BaseException | None = None


def _end_now() -> None:
    """End the process without any clean-up; what was accepted is in the ledger."""
    if os.isatty(1):
        os.write(1, SHOW_CURSOR)
    os.write(2, b"\nmob: ended at once\n")
    os._exit(INTERRUPTED)
