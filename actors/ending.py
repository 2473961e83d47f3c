"""The end of a mob: once, by whoever asks for it first, from whatever thread or loop.

    drain → actors → ledger → report

A mob ends also when nobody waits for it any more, and when the wait is interrupted.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from actors import launching
from actors.domain.reports import ShutdownReport
from actors.kernel.errors import AskTimeout, describe
from actors.kernel.future import ThreadReply
from actors.roles.messages import Drain

if TYPE_CHECKING:
    from actors.history import History

DRAIN_MARGIN_S: Final = 1.1  # for the members to stop after the drain
CUT_OFF_S: Final = 0.3  # for a loop that a member holds; then its thread is left behind
OVERTIME_S: Final = 3.0  # the 2 s that an end may take longer than its limit, and a little
INTERRUPTED: Final = ShutdownReport(
    drained=False,
    timed_out=False,
    drain_duration_ms=0,
    waiting_for=("the shutdown was interrupted",),
)


class Ending:
    """How one mob ends; any thread.

    `report` is done when it has ended: actors, loops and ledger are closed.
    """

    def __init__(self, parts: launching.Parts, history: History) -> None:
        self.report: ThreadReply[ShutdownReport] = ThreadReply(address="the end of the mob")
        self._parts = parts
        self._history = history
        self._lock = threading.Lock()  # leaf; guards `_limit`
        self._limit: float | None = None  # what the first who asked gave it
        self._interrupt = False
        self._cut = False
        self._drain: ThreadReply[ShutdownReport] | None = None

    @property
    def begun(self) -> bool:
        """Whether somebody asked for the end."""
        return self._limit is not None

    @property
    def over(self) -> bool:
        """Whether the mob has ended."""
        return self.report.done

    @property
    def patience_s(self) -> float:
        """How long it takes at most, once it began."""
        return (self._limit or 0.0) + OVERTIME_S

    def claim(self, limit: float, *, interrupt: bool = False) -> bool:
        """Whether the caller is the first to ask for the end, and so has to `finish`.

        Args:
            limit: Seconds that the drain may take.
            interrupt: End running turns at their next boundary.

        Raises:
            ForkedProcess: the mob is that of the process this one was forked from.
        """
        self._parts.system.realm.check_process()
        with self._lock:
            if self._limit is not None:
                return False
            self._limit = limit
            self._interrupt = interrupt
            return True

    def finish(self) -> None:
        """End the mob; blocks for as long as it was given when claimed, and 2 s at most.

        Interrupted (Ctrl-C, or `cut_short`), it waits for the members no longer: what they have
        not finished stays open in the ledger.
        """
        report = INTERRUPTED
        try:
            report = self._drained(self._limit or 0.0)
        finally:  # also on Ctrl-C: the actors and the ledger end with this call
            self._parts.system.shutdown(timeout=0.1, cut_off_s=CUT_OFF_S)
            self._history.close()
            launching.forget_at_exit(self.end)
            self.report.resolve(report, None)

    def cut_short(self) -> None:
        """Have the `finish` that runs, or is about to, wait for the members no longer."""
        self._cut = True
        if self._drain is not None:
            self._drain.resolve(INTERRUPTED, None)

    def end(self, limit: float) -> None:
        """Block until the mob has ended, whoever ends it; a drain is cut short after `limit` s."""
        if self.claim(limit):
            self.finish()
            return
        self.report.block(limit)
        if not self.over:
            self.cut_short()
            self.report.block(OVERTIME_S)

    def _drained(self, limit: float) -> ShutdownReport:
        """Let the supervisor end the mob; a report comes also when it cannot."""
        question = Drain(timeout_s=limit, interrupt=self._interrupt)
        try:
            self._drain = self._parts.supervisor.ask(question, block=False)
            if self._cut:  # it came before there was something to cut
                self._drain.resolve(INTERRUPTED, None)
            return self._drain.get(timeout=limit + DRAIN_MARGIN_S)
        except Exception as error:  # noqa: BLE001 - the report says it; the mob ends all the same
            return ShutdownReport(
                drained=False,
                timed_out=isinstance(error, AskTimeout),
                drain_duration_ms=int(limit * 1000),
                waiting_for=(f"the supervisor: {describe(error)}",),
            )
