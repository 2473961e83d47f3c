"""Restarts by strategy: children of one parent that start again together.

    a child failed ──▶ companions stop, last started first ──┐
                 └──▶ its back-off passes (a timer) ─────────┴─▶ all start, first started first,
                                                                 each when the one before is up

A parent has one group at a time. A failure that comes meanwhile joins it: its companions stop
as well, and everybody who is down starts again in start order. So two failures can never work
against each other, and a sibling that cannot start only makes its own budget smaller.

Owned by the parent's loop; children are reached by SYSTEM calls and answer by them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from actors.kernel.logs import logger_for
from actors.kernel.supervision import companions

if TYPE_CHECKING:
    from actors.kernel.lifecycle import LifeCycle
    from actors.kernel.timers import Timer

logger = logger_for(__name__)

START_S: Final = 30.0  # a child that is not up by then does not hold up those after it


class RestartGroup:
    """The children of `parent` that are down and start again together."""

    __slots__ = ("_alarm", "_due", "_members", "_parent", "_round", "_to_stop")

    def __init__(self, parent: LifeCycle) -> None:
        self._parent = parent
        self._members: list[LifeCycle] = []  # who is to be started, in start order
        self._to_stop: list[LifeCycle] = []  # companions that still run, in start order
        self._alarm: Timer | None = None
        self._due = False
        self._round = 0  # answers to an earlier round are late

    def join(self, child: LifeCycle, delay_s: float) -> None:
        """Have `child`, which is down, started again after `delay_s` with its companions."""
        siblings = list((self._parent.children or {}).values())
        together = companions(child.spec.strategy, siblings, child)
        down = [child, *together, *self._members]
        self._members = [each for each in siblings if each in down]
        self._to_stop = [each for each in siblings if each in together]
        self._round += 1
        self._due = False
        self._set_alarm(delay_s, self._back_off_over)
        self._stop_next()

    def _back_off_over(self) -> None:
        self._due = True
        if not self._to_stop:
            self._start_next()

    def _stop_next(self) -> None:
        if not self._to_stop:
            if self._due:
                self._start_next()
            return
        child = self._to_stop[-1]
        for_good = child.maker is None
        if for_good:
            self._members.remove(child)
        down = self._answer(self._stopped)
        if for_good:
            child.post(lambda: child.request_stop("shutdown", drain=False, done=down))
        else:
            child.post(lambda: child.park(down))

    def _stopped(self) -> None:
        self._to_stop.pop()
        self._stop_next()

    def _start_next(self) -> None:
        if not self._members:
            self._parent.group = None
            return
        child = self._members[0]
        up = self._answer(self._started)
        self._set_alarm(START_S, self._answer(self._too_slow))
        child.post(lambda: child.unpark(up))

    def _started(self) -> None:
        self._members.pop(0)
        self._round += 1  # the alarm of this one is late from now on
        self._start_next()

    def _too_slow(self) -> None:
        slow = self._members[0].address
        text = "%s is not up after %g s: its siblings go on without it"
        logger.warning(text, slow, START_S, extra={"actor": slow})
        self._started()

    def _set_alarm(self, delay_s: float, work: Callable[[], object]) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._parent.timers.after(delay_s, work)

    def _answer(self, then: Callable[[], object]) -> Callable[[], object]:
        """What a child calls, on its own loop, when it is down or up (or has ended)."""
        this_round = self._round
        parent = self._parent

        def arrived() -> None:
            if parent.group is self and self._round == this_round:
                then()

        return lambda: parent.post(arrived)
