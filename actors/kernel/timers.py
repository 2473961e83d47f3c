"""Timers of one actor: they end with the incarnation that set them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.kernel.dispatch import Dispatcher


class Timers:
    """The pending timers of one actor; used on its loop only."""

    __slots__ = ("_dispatcher", "_pending")

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._pending: set[Timer] = set()

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return self._dispatcher.loop.time()

    def after(self, delay_s: float, work: Callable[[], object]) -> Timer:
        """Do `work` after `delay_s` seconds."""
        timer = Timer(self._pending, work)
        timer.arm(self._dispatcher, delay_s)
        return timer

    def cancel_all(self) -> None:
        """Nothing that is pending fires."""
        for timer in tuple(self._pending):
            timer.cancel()


class Timer:
    """Work that waits for its time."""

    __slots__ = ("_handle", "_pending", "_work")

    def __init__(self, pending: set[Timer], work: Callable[[], object]) -> None:
        self._pending = pending
        self._work = work

    def arm(self, dispatcher: Dispatcher, delay_s: float) -> None:
        """Fire once, `delay_s` seconds from now."""
        self._pending.add(self)
        self._handle = dispatcher.later(delay_s, self._fire)

    def _fire(self) -> None:
        self._pending.discard(self)
        self._work()

    def cancel(self) -> None:
        """Never fire; a second call and a call after firing do nothing."""
        self._pending.discard(self)
        self._handle.cancel()


class Every:
    """A repeating timer; the next tick is the first multiple of the period still ahead."""

    __slots__ = ("_next", "_period_s", "_stopped", "_timer", "_timers", "_work")

    def __init__(self, timers: Timers, period_s: float, work: Callable[[], object]) -> None:
        if period_s <= 0:
            raise ValueError(f"a period of {period_s} s never ends")
        self._timers = timers
        self._period_s = period_s
        self._work = work
        self._stopped = False
        self._next = timers.now() + period_s
        self._timer = timers.after(period_s, self._fire)

    def _fire(self) -> None:
        self._work()
        if self._stopped:
            return
        now = self._timers.now()
        missed = (now - self._next) // self._period_s
        self._next += self._period_s * (max(missed, 0) + 1)
        self._timer = self._timers.after(max(self._next - now, 0.0), self._fire)

    def cancel(self) -> None:
        """Never fire again."""
        self._stopped = True
        self._timer.cancel()
