"""Dispatch: a ready queue of mailboxes, drained in batches by one callback of one loop.

Owned by its loop's thread, except `schedule`, `call` and `wake`, which any thread may use.
One wake-up per batch: while `awake` is set a drain is under way or on its way, so a putter
need not wake the loop again. The owner clears the mark and then looks at the queue once
more, the putter appends and then looks at the mark (the rule of `mailbox.py`).
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Final, TypeVar

from actors.kernel.current import HOLDER, ON_LOOP
from actors.kernel.errors import AskTimeout
from actors.kernel.logs import logger_for
from actors.kernel.waits import Holder

if TYPE_CHECKING:
    from typing import Any

    from actors.kernel.future import Reply
    from actors.kernel.mailbox import Mailbox
    from actors.kernel.ports import Clock, Pending

logger = logger_for(__name__)

BATCH: Final = 64  # messages of one mailbox before the next one is served
TURN: Final = 512  # messages of one callback before the loop's other work is let in
SWEEP_S: Final = 1.0  # how often the timeouts of long asks are looked at
LONG_S: Final = 10.0  # asks with a timeout from here up share the sweep
R = TypeVar("R")


class Dispatcher:
    """Runs the actors of one event loop."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self.name = name
        self.loop = loop
        self.clock = clock
        self.ready: deque[Mailbox] = deque()
        self.calls: deque[Callable[[], object]] = deque()
        self.awake = False
        self.closed = False
        self.patient = False  # somebody debugs: no answer and no message comes too late
        self.ident = 0  # thread id of the loop, set by `attach`
        self.stepping: Holder | None = None  # whose coroutine the kernel steps right now
        # Drains and timers must not inherit the context of the handler that caused them.
        self._context = contextvars.Context()
        # what the watchdog looks at
        self.current: Mailbox | None = None
        self.message: object = None
        self.beats = 0
        self.late_answers = 0  # that nobody waited for any more
        self._patience: dict[float, deque[tuple[int, Reply[Any]]]] = {}
        self._sweep_number = 0
        self._sweeping = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def attach(self) -> None:
        """Say that the calling thread runs this loop from now on."""
        self.ident = threading.get_ident()
        ON_LOOP.dispatcher = self

    def here(self) -> bool:
        """Whether the calling thread runs this loop right now."""
        return ON_LOOP.dispatcher is self

    # -- any thread -------------------------------------------------------------------------

    def schedule(self, mailbox: Mailbox) -> None:
        """Have `mailbox` served; more than once is harmless."""
        mailbox.scheduled = True
        self.ready.append(mailbox)
        if not self.awake:
            self.wake()

    def call(self, work: Callable[[], object]) -> None:
        """Run `work` on this loop soon; dropped when the loop is closed."""
        self.calls.append(work)
        if not self.awake:
            self.wake()

    def wake(self) -> None:
        """Make sure that a drain is on its way."""
        self.awake = True
        if self.closed:
            return
        try:
            if threading.get_ident() == self.ident:
                self.loop.call_soon(self.drain, context=self._context)
            else:
                self.loop.call_soon_threadsafe(self.drain, context=self._context)
        except RuntimeError:  # closed between the look and the call
            self.closed = True

    # -- the loop's thread ------------------------------------------------------------------

    def drain(self) -> None:
        """Serve the ready mailboxes, oldest first, for one bounded turn."""
        ready = self.ready
        left = TURN
        try:
            if self.calls:
                self.run_calls()
            while ready and left > 0:
                mailbox = ready.popleft()
                self.current = mailbox
                left -= 1
                try:
                    left -= mailbox.run(BATCH)
                except BaseException as error:  # noqa: BLE001 - logged; the others are served
                    self.broke_off(mailbox, error)
        finally:
            self.rest()

    def run_calls(self) -> None:
        """Run the calls queued by now; what they queue comes in the next turn."""
        calls = self.calls
        for _ in range(len(calls)):
            try:
                calls.popleft()()
            except BaseException:  # also SystemExit: a call must not end the loop
                logger.exception("a call on loop %s raised", self.name)

    def broke_off(self, mailbox: Mailbox, error: BaseException) -> None:
        """Log what escaped from `mailbox.run`, and have the mailbox go on after it."""
        text = "%s broke off; it goes on with what is queued next"
        logger.error(text, mailbox.address, exc_info=error)
        mailbox.scheduled = False
        mailbox.kick()

    def rest(self) -> None:
        """End a drain: come back if there is more to do, else wait to be woken."""
        self.current = None
        if self.ready or self.calls:
            self.loop.call_soon(self.drain, context=self._context)
            return
        self.awake = False
        if (self.ready or self.calls) and not self.awake:
            self.wake()

    def later(self, delay_s: float, work: Callable[[], object]) -> Pending:
        """Run `work` on this loop after `delay_s` seconds."""
        return self.loop.call_later(delay_s, work, context=self._context)

    def task(
        self, coro: Coroutine[Any, Any, R], name: str, holder: Holder | None = None
    ) -> asyncio.Task[R]:
        """Run a coroutine as a task that this dispatcher owns and awaits at its end.

        Args:
            holder: The handler or hook that it is, if it keeps its actor's mailbox shut.
        """
        before = HOLDER.set(holder)
        task = self.loop.create_task(coro, name=name)
        HOLDER.reset(before)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def tasks(self) -> tuple[asyncio.Task[Any], ...]:
        """The tasks that are not done."""
        return tuple(self._tasks)

    @property
    def has_tasks(self) -> bool:
        """Whether a task is not done; cheap, and any thread may ask."""
        return bool(self._tasks)

    def expect(self, reply: Reply[Any], timeout: float) -> None:
        """Fail `reply` with AskTimeout unless it is done within `timeout` seconds.

        Short timeouts get a timer each. Long ones, of which there may be a million a second,
        share a queue per length that is swept once a second, and read no clock: they fire by
        the number of sweeps, never early, at most two seconds late. An endless one needs nothing.
        """
        if timeout == math.inf or self.patient:
            return
        if timeout < LONG_S:
            reply.timer = self.later(timeout, lambda: self._expire(reply, timeout))
            return
        line = self._patience.get(timeout)
        if line is None:
            line = self._patience[timeout] = deque()
        while line and line[0][1].done:
            line.popleft()
        line.append((self._sweep_number + math.ceil(timeout / SWEEP_S) + 1, reply))
        if len(line) > 4_096 and not len(line) & 4_095:
            # one patient asker at the head must not keep a million answered ones alive
            self._patience[timeout] = deque(item for item in line if not item[1].done)
        if not self._sweeping:
            self._sweeping = True
            self.later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._sweep_number += 1
        for timeout, line in list(self._patience.items()):
            while line and (line[0][1].done or line[0][0] <= self._sweep_number):
                self._expire(line.popleft()[1], timeout)
            if not line:
                del self._patience[timeout]
        self._sweeping = bool(self._patience)
        if self._sweeping:
            self.later(SWEEP_S, self._sweep)

    def _expire(self, reply: Reply[Any], timeout: float) -> None:
        if not reply.done:
            reply.settle(None, AskTimeout(reply.address, timeout))
