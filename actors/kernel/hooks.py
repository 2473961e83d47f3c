"""Hooks of an actor (`on_start`, `on_stop`) under way: `def` or `async def`, ending once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

from actors.kernel.waits import Box, Holder

if TYPE_CHECKING:
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.timers import Timers

GRACE_S: Final = 1.0  # what is cancelled gets this long to notice


class HookRun(Holder):
    """One call of a hook; exactly one of `then` and `failed` is called, unless dropped."""

    __slots__ = ("_failed", "_task", "_then", "over")

    def __init__(
        self, box: Box, then: Callable[[], object], failed: Callable[[BaseException], object]
    ) -> None:
        super().__init__(box)
        self._then = then
        self._failed = failed
        self._task: asyncio.Task[Any] | None = None  # Any: what a hook returns is not looked at
        self.over = False

    def begin(self, hook: Callable[[], object], dispatcher: Dispatcher, name: str) -> None:
        """Call the hook; a `def` hook is over when this returns."""
        try:
            result = hook()
        except BaseException as error:  # noqa: BLE001 - also SystemExit: it ends this actor only
            self.end(error)
            return
        if not inspect.isawaitable(result):
            self.end(None)
            return
        self.box.keeper = self
        # a coroutine itself, so that a cancelled one is closed even before its first step
        work = result if inspect.iscoroutine(result) else _awaited(result)
        self._task = dispatcher.task(work, name, self)
        self._task.add_done_callback(self._finished)

    def cancel(self) -> None:
        """Ask an `async` hook to end."""
        if self._task is not None:
            self._task.cancel()

    def settle(self) -> None:
        """Take it as over if it is, though its loop has not said so yet."""
        if self._task is not None and self._task.done() and not self.over:
            self._finished(self._task)

    def limit(self, timers: Timers, patience_s: float, left_behind: Callable[[], object]) -> None:
        """Cancel it after `patience_s`; if it ignores this, say so and leave it behind."""

        def late() -> None:
            if not self.over:
                left_behind()
                self.end(asyncio.CancelledError(f"the hook did not end within {patience_s:g} s"))

        timers.after(patience_s, self.cancel)
        timers.after(patience_s + GRACE_S, late)

    def drop(self) -> None:
        """Cancel it and forget how it ends."""
        self._leave()
        self.cancel()

    def end(self, error: BaseException | None) -> None:
        """Take it as over; only the first end counts."""
        if self.over:
            return
        self._leave()
        if error is None:
            self._then()
        else:
            self._failed(error)

    def _leave(self) -> None:
        self.over = True
        if self.box.keeper is self:
            self.box.keeper = None

    def _finished(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self.end(asyncio.CancelledError("the hook was cancelled"))
        else:
            self.end(task.exception())


async def _awaited(result: object) -> object:
    return await cast("Awaitable[object]", result)
