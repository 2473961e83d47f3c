"""The watchdog: names the actor, the message type and the stack of a handler over budget.

It looks, it never measures in the hot path: each dispatcher leaves the message it handles and
a beat count where the watchdog's thread can see them. The same beat at two looks with a
handler under way means that the loop has been held since the first look. A step of an asyncio
task shows as a loop that does not answer a call.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Final

from actors.kernel.counters import SlowHandler
from actors.kernel.logs import logger_for

if TYPE_CHECKING:
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.ports import LoopName
    from actors.kernel.realm import Realm

logger = logger_for(__name__)

SYSTEM_BUDGET_S: Final = 0.05  # design §4
MEMBER_BUDGET_S: Final = 0.5  # members may think; a held member loop only delays members
DEBUG_SHARE: Final = 0.2  # of the budgets while MOB_DEBUG is set: more handlers are named
LOOK_S: Final = 0.02


class Watchdog:
    """One daemon thread per system; `close` ends and joins it."""

    def __init__(
        self,
        realm: Realm,
        *,
        system_budget_s: float = SYSTEM_BUDGET_S,
        member_budget_s: float = MEMBER_BUDGET_S,
    ) -> None:
        self._realm = realm
        scheduler = realm.scheduler
        budgets: dict[LoopName, float] = {"system": system_budget_s, "member": member_budget_s}
        self._views = []
        for name, budget_s in budgets.items():
            dispatcher = scheduler.dispatcher(name)
            share = DEBUG_SHARE if dispatcher.patient else 1.0
            self._views.append(_View(dispatcher, budget_s * share))
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"{realm.name}-watchdog", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread; idempotent."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            now = time.monotonic()
            for view in self._views:
                try:
                    self._look(view, now)
                except Exception:  # it looks at other threads' things; it must go on looking
                    logger.exception("a look of the watchdog of %s failed", self._realm.name)

    def _look(self, view: _View, now: float) -> None:
        slow = view.look(now)
        if slow is None:
            return
        self._realm.counts.slow.append(slow)
        logger.warning(
            "%s held its loop for %d ms (budget %d) on %s:\n%s",
            slow.address,
            slow.held_ms,
            slow.budget_ms,
            slow.message_type,
            slow.stack,
            extra={"actor": slow.address},
        )


class _View:
    """What the watchdog saw of one loop at its last look."""

    def __init__(self, dispatcher: Dispatcher, budget_s: float) -> None:
        self._dispatcher = dispatcher
        self._budget_s = budget_s
        self._seen: tuple[int, int] | None = None
        self._since = 0.0
        self._told = False
        self._answered = 0
        self._asked = 0

    def look(self, now: float) -> SlowHandler | None:
        """A report if the loop has been held for longer than the budget; one per hold."""
        dispatcher = self._dispatcher
        beat = dispatcher.beats
        if self._asked != self._answered and self._seen == (beat, self._answered):
            held = now - self._since
            if held < self._budget_s or self._told:
                return None
            self._told = True
            return self._report(held)
        self._seen = (beat, self._answered)
        self._since = now
        self._told = False
        if (dispatcher.current is not None or dispatcher.has_tasks) and not dispatcher.closed:
            self._asked += 1
            asked = self._asked
            dispatcher.call(lambda: self._answer(asked))
        return None

    def _answer(self, asked: int) -> None:
        self._answered = asked

    def _report(self, held: float) -> SlowHandler:
        dispatcher = self._dispatcher
        mailbox, message = dispatcher.current, dispatcher.message
        address, message_type = "the loop", "a callback"
        if mailbox is not None:
            address, message_type = mailbox.address, type(message).__qualname__
        else:
            task = asyncio.current_task(dispatcher.loop)
            if task is not None:
                address, _, message_type = task.get_name().partition(" ")
        frame = sys._current_frames().get(dispatcher.ident)
        stack = "".join(traceback.format_stack(frame)[-8:]) if frame is not None else ""
        return SlowHandler(
            address, message_type, int(self._budget_s * 1000), int(held * 1000), stack
        )
