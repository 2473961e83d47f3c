"""The asyncio loop of the seeded world (`simulation.py`): virtual time, and choices by a seed."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import math
import random
import threading
from collections.abc import Callable, Sized
from contextvars import Context
from typing import Any, Final, TypeVarTuple

Ts = TypeVarTuple("Ts")
DUE_S: Final = 1e-6  # timers that are this close are due together: 0.1 + 0.2 is 0.3
LATENCY_S: Final = 0.01  # of blocking work, at most, before it is done and again after it


class Choices:
    """What the seed decides, counted; after `limit` of them the first of everything is taken.

    A stream per subsystem: one more draw in one does not shift the others.
    """

    __slots__ = ("_draw", "_draw_io", "_limit", "made")

    def __init__(self, seed: int, limit: int | None) -> None:
        self.made = 0
        self._limit = math.inf if limit is None else limit
        self._draw = random.Random(f"schedule {seed}").random
        self._draw_io = random.Random(f"io {seed}").random

    def among(self, count: int) -> int:
        """Which of `count` candidates, oldest first; of one there is no choice."""
        if count < 2 or self.made >= self._limit:
            return 0
        self.made += 1
        return int(self._draw() * count)

    def latency_s(self) -> float:
        """How long blocking work takes."""
        if self.made >= self._limit:
            return 0.0
        self.made += 1
        chance = self._draw_io()
        return 0.0 if chance < 0.5 else (chance - 0.5) * 2 * LATENCY_S


class SimulatedLoop(asyncio.BaseEventLoop):
    """An asyncio loop whose time is virtual and which never touches the machine.

    Timers are its own: asyncio would run all that are due in one turn, here each is a choice.
    """

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self.horizon = math.inf  # the clock does not jump beyond it
        self.rivals: Sized = ()  # the ready mailboxes, any of which may go before a timer
        self._choices = choices
        self._numbers = itertools.count()
        self._later: list[tuple[float, int, asyncio.TimerHandle]] = []  # a heap
        self._due: list[asyncio.TimerHandle] = []  # in the order of their times
        self._cancelled = 0  # of those in the heap
        self._handles: Any = self._ready  # type: ignore[attr-defined]  # Any: asyncio's own queue

    def time(self) -> float:
        """Virtual seconds since the world began."""
        return self.now

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback` when the clock says `when`."""
        self._check_closed()  # type: ignore[attr-defined]  # asyncio's own seam for loops
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._later, (when, next(self._numbers), handle))
        return handle

    def idle(self, until: float = math.inf) -> bool:
        """Whether nothing is left to run before `until`."""
        if self._handles or self._due:
            return False
        self._drop_cancelled()
        return not self._later or self._later[0][0] > until + DUE_S

    @property
    def pressing(self) -> bool:
        """Whether there is something to do besides what is done right now."""
        return bool(self._handles or self._due)

    def turn(self) -> None:
        """Do what asyncio's `run_forever` does once, at a fraction of its cost."""
        self._thread_id: int | None = threading.get_ident()
        asyncio._set_running_loop(self)
        try:
            # asyncio lets a SystemExit in a task end its loop; the task has kept it, too
            with contextlib.suppress(SystemExit):
                self._run_once()
        finally:
            asyncio._set_running_loop(None)
            self._thread_id = None

    def _run_once(self) -> None:
        self.steps += 1
        handles = self._handles
        if self._later or self._due:
            self._admit()
        elif not handles:
            self.stop()  # whoever runs it for ever would wait for ever
        for _ in range(len(handles)):
            handle = handles.popleft()
            if not handle._cancelled:
                handle._run()

    def _admit(self) -> None:
        """Let one timer that is due fire in this turn, or a mailbox go before it."""
        handles, later, due = self._handles, self._later, self._due
        if not handles and not due:
            self._drop_cancelled()
            self.now = max(self.now, min(later[0][0] if later else self.now, self.horizon))
        while later and later[0][0] <= self.now + DUE_S:
            due.append(heapq.heappop(later)[2])
        if not due:
            return
        due[:] = [handle for handle in due if not handle.cancelled()]
        count = len(due)
        chosen = self._choices.among(count + len(self.rivals) if handles else count)
        if chosen < len(due):
            handles.append(due.pop(chosen))

    def _drop_cancelled(self) -> None:
        later = self._later
        while later and later[0][2].cancelled():
            heapq.heappop(later)
            self._cancelled -= 1

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self._cancelled += 1
        if self._cancelled > 100 and self._cancelled * 2 > len(self._later):
            self._later = [item for item in self._later if not item[2].cancelled()]
            heapq.heapify(self._later)
            self._cancelled = 0

    def _process_events(self, event_list: list[object]) -> None:
        """There is no I/O here."""

    def _write_to_self(self) -> None:
        """Everything happens in one thread; nobody needs waking."""
