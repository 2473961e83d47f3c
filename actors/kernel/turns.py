"""Turns: the `async` handlers of one actor under way, and how a message ends.

An `async def` handler runs as an asyncio task (it may use any library); a stepped one is
driven by `_step`, which understands only kernel replies and costs a fraction of a task.

Whatever a handler does, its message ends exactly once: as handled (returned, or raised a
declared error), failed, returned to the head of the lane (a failed tell, once), or a letter.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from actors.kernel.errors import ActorDead, ActorFailed, Interrupted, describe
from actors.kernel.future import Reply
from actors.kernel.hooks import GRACE_S
from actors.kernel.lifecycle import LifeCycle, State
from actors.kernel.logs import logger_for
from actors.kernel.mailbox import SMALL, Envelope
from actors.kernel.waits import Box, Holder

if TYPE_CHECKING:
    from actors.kernel.handlers import Handler
    from actors.kernel.ports import Answerable

logger = logger_for(__name__)


class Turn(Holder):
    """One `async` handler under way."""

    __slots__ = ("awaited", "coro", "handler", "item", "message", "task")

    reply: Answerable | None

    def __init__(
        self, box: Box, handler: Handler, item: object, message: object, reply: Answerable | None
    ) -> None:
        super().__init__(box, reply)
        self.handler = handler
        self.item = item  # the message as it lay in the lane, to go back there
        self.message = message
        self.coro: Coroutine[Any, Any, Any] | None = None
        self.task: asyncio.Task[Any] | None = None
        self.awaited: Reply[Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether its task has returned."""
        return self.task is not None and self.task.done()


class Turns(LifeCycle):
    """A life cycle whose handlers may await."""

    __slots__ = ("aside", "then_idle", "turn")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: LifeCycle's own, passed on
        super().__init__(*args, **kwargs)
        self.turn: Turn | None = None  # the handler that holds the mailbox
        self.aside: set[Turn] | None = None  # interleaving handlers
        self.then_idle: Callable[[], object] | None = None

    # -- running ----------------------------------------------------------------------------

    def begin_turn(
        self, handler: Handler, item: object, message: object, reply: Answerable | None
    ) -> None:
        """Start an `async` handler."""
        turn = Turn(self, handler, item, message, reply)
        turn.coro = handler.call(self.actor, message)
        if not handler.interleave:
            self.turn = self.keeper = turn
            if handler.stepped:
                self.step(turn)
                return
        else:
            if self.aside is None:
                self.aside = set()
            self.aside.add(turn)
        name = f"{self.address} {type(message).__qualname__}"
        turn.task = self.dispatcher.task(turn.coro, name, turn)
        turn.task.add_done_callback(lambda task: self._task_done(turn, task))

    def step(self, turn: Turn) -> None:
        """Drive a stepped handler until it waits for a reply or ends."""
        dispatcher = self.dispatcher
        coro = turn.coro
        assert coro is not None  # a turn that is stepped has a coroutine
        dispatcher.message = turn.message
        dispatcher.beats += 1
        turn.awaited = None
        dispatcher.stepping = turn
        try:
            awaited = coro.send(None)
            while type(awaited) is not Reply:
                awaited = coro.throw(
                    TypeError(
                        f"a stepped handler awaited {type(awaited).__name__}; it may await only "
                        "ref.request and ref.send: drop stepped=True"
                    )
                )
        except StopIteration as stop:
            self.turn = self.keeper = None
            self.count.handled += 1
            if turn.reply is not None:
                turn.reply.answer(stop.value)
            self._turn_ended()
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it ends this actor only
            self.turn = self.keeper = None
            self.raised(error, turn.handler, turn.item, turn.message, turn.reply)
            self._turn_ended()
        else:
            turn.awaited = awaited  # which is not done, or it would not have been yielded
            awaited.when_done(self.kick)  # beside whoever waits for it already
        finally:
            dispatcher.stepping = None

    def _task_done(self, turn: Turn, task: asyncio.Task[Any]) -> None:
        if turn is self.turn:
            self.turn = self.keeper = None
        elif self.aside is not None and turn in self.aside:
            self.aside.discard(turn)
        else:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.log_error("a handler given up raised %s", type(error).__name__)
            return  # given up by `abandon`, which ended its message
        self._end_of(turn, task)
        self._turn_ended()

    def _end_of(self, turn: Turn, task: asyncio.Task[Any]) -> None:
        """End the message of a handler that is over."""
        if task.cancelled() and self.state is State.STOPPING:
            self._interrupted(turn)
        elif (error := _error_of(task)) is not None:
            self.raised(error, turn.handler, turn.item, turn.message, turn.reply)
        else:
            self.count.handled += 1
            if turn.reply is not None:
                turn.reply.answer(task.result())

    def _turn_ended(self) -> None:
        if self.turn is None and not self.aside and self.then_idle is not None:
            then, self.then_idle = self.then_idle, None
            then()
        elif self.user or self.control or self.system:
            self.kick()

    # -- how messages end -------------------------------------------------------------------

    def raised(
        self,
        error: BaseException,
        handler: Handler,
        item: object,
        message: object,
        reply: Answerable | None,
    ) -> None:
        """End a message whose handler raised; an undeclared error is a failure of the actor."""
        if handler.raises and isinstance(error, handler.raises):
            self.count.handled += 1
            if reply is not None:
                reply.resolve(None, error)
            return
        if reply is not None:
            self.count.failed += 1
            kind = type(message).__qualname__
            failure = ActorFailed(self.address, kind, type(error).__name__, describe(error))
            failure.__cause__ = error
            reply.resolve(None, failure)
        else:
            self._tell_failed(item, message)
        self.crash(error)

    def _tell_failed(self, item: object, message: object) -> None:
        """A failed tell goes back to the head of the lane once; a second time it is poison."""
        restarts = self.spec.restart != "temporary" and not self.sealed
        if not restarts or not (self.state in (State.RUNNING, State.WAITING) or self.parked):
            self.count.failed += 1
            return
        envelope = item if type(item) is Envelope else Envelope(message)
        if envelope.failures >= 1:
            self.realm.dead(self.address, "poison", message)
            return
        envelope.failures += 1
        if envelope.size != SMALL:
            self.bytes_out -= envelope.size - SMALL
        self.user.appendleft(envelope)

    def _interrupted(self, turn: Turn) -> None:
        self.realm.dead(self.address, "interrupted", turn.message)
        if turn.reply is not None:
            gone = Interrupted if self.parked is not None else ActorDead
            turn.reply.resolve(None, gone(self.address, type(turn.message).__qualname__))

    # -- ending -----------------------------------------------------------------------------

    def abandon(self) -> None:
        """Cancel the handlers that still run; their messages end here."""
        turns = list(self.aside or ())
        if self.turn is not None:
            turns.append(self.turn)
        self.turn = self.keeper = None
        self.aside = None
        for turn in turns:
            if turn.task is not None and turn.task.done():
                self._end_of(turn, turn.task)  # it has ended; only its callback is still to come
            else:
                self._given_up(turn)

    def _given_up(self, turn: Turn) -> None:
        self._interrupted(turn)
        if turn.task is not None:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                turn.task.cancel()
                self._watch_end(turn)
        elif turn.coro is not None:
            try:
                turn.coro.close()
            except BaseException as error:  # noqa: BLE001 - must not harm who gives it up
                self.log_error("a handler given up raised", cause=error)

    def finish_turns(self, patience_s: float, then: Callable[[], object]) -> None:
        """Call `then` when no handler runs; what runs longer than `patience_s` is cancelled."""
        if self.turn is None and not self.aside:
            then()
            return
        self.then_idle = then
        self.timers.after(patience_s, self._out_of_patience)

    def interrupt_turns(self, patience_s: float, then: Callable[[], object]) -> None:
        """Cancel the handlers that run; call `then` when they ended, or after `patience_s`."""
        turn = self.turn
        if turn is not None and turn.task is None:  # a stepped one ends where it waits
            self.turn = self.keeper = None
            self._given_up(turn)
        if self.turn is None and not self.aside:
            then()
            return
        self.then_idle = then
        self._cancel_turns()
        self.timers.after(patience_s, self._fence_turns)

    def _out_of_patience(self) -> None:
        self._cancel_turns()
        self.timers.after(GRACE_S, self._fence_turns)

    def _cancel_turns(self) -> None:
        for turn in (self.turn, *(self.aside or ())):
            if turn is not None and turn.task is not None:
                turn.task.cancel()

    def _fence_turns(self) -> None:
        """A handler that ignores its cancellation is left behind; its answer is not used."""
        then, self.then_idle = self.then_idle, None
        if then is not None:
            self.abandon()
            then()

    def _watch_end(self, turn: Turn) -> None:
        """Count a handler that goes on although it was cancelled: nothing can stop it."""
        task = turn.task
        if task is None:
            return

        def look() -> None:
            if not task.done():
                self.realm.counts.fenced.bump()
                kind = type(turn.message).__qualname__
                self.log_error("a handler of %s ignores its cancellation, it is left behind", kind)

        self.dispatcher.later(GRACE_S, look)


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    """Why a task did not return; a handler cancelled by something it awaited has failed."""
    if task.cancelled():
        return asyncio.CancelledError("something it awaited was cancelled")
    return task.exception()
