"""A cell runs the handlers of one actor, one message at a time.

`run` is the hot path of the whole system: a `def` handler is called in line, an `async` one
becomes a turn. While a turn holds the mailbox, USER mail waits; only `@interleave` handlers
and SYSTEM calls go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.kernel.errors import ActorDead, Expired, Unhandled
from actors.kernel.handlers import Handler, HandlerTable, find, redefined
from actors.kernel.lifecycle import State
from actors.kernel.mailbox import CONTROL_RUN, SMALL, Envelope, Slot, StopMarker
from actors.kernel.ref import ActorRef
from actors.kernel.turns import Turns

if TYPE_CHECKING:
    from actors.kernel.ports import Answerable

RUNNING = State.RUNNING  # a module global is found faster than an enum member


class Cell(Turns):
    """Turns that are fed from the lanes."""

    __slots__ = ("control_run", "table")

    def __init__(
        self,
        table: HandlerTable,
        *args: Any,  # Any: LifeCycle's own, passed on
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.table = table
        self.control_run = 0

    @property
    def ref(self) -> ActorRef[Any]:
        """The ref of the actor."""
        return ActorRef(self)

    def run(self, limit: int) -> int:
        """Handle up to `limit` messages; how many were."""
        count = 0
        if self.system:
            self._run_system()
        turn = self.turn
        if turn is not None and turn.awaited is not None and turn.awaited.done:
            self.step(turn)
        dispatcher = self.dispatcher
        done = self.count
        table = self.table
        user = self.user
        while count < limit and self.state is RUNNING:
            if self.control:
                item = self._next_control()
                if item is None:
                    break
            elif self.turn is not None:
                break
            elif user:
                item = user.popleft()
            else:
                break
            count += 1
            if type(item) is Slot:
                item = self.redeem(item)
            if type(item) is Envelope:
                message, reply = item.message, item.reply
                if item.size != SMALL:
                    self.bytes_out += item.size - SMALL
                if item.deadline is not None and self._expired(item):
                    continue
            elif type(item) is StopMarker:
                if self.control:  # the other lane is drained, too
                    user.append(item)
                    continue
                self.stop_here()
                break
            else:
                message, reply = item, None
            handler = table.get(type(message))
            if handler is None:
                handler = self._find(message, reply)
                if handler is None:
                    continue
            dispatcher.message = message
            dispatcher.beats += 1
            if handler.is_async:
                self.begin_turn(handler, item, message, reply)
                continue
            try:
                value = handler.call(self.actor, message)
            except BaseException as error:  # noqa: BLE001 - SystemExit too: it ends this actor only
                self.raised(error, handler, item, message, reply)
                continue
            done.handled += 1
            if reply is not None:
                reply.answer(value)
            if self.system:
                self._run_system()
        self.scheduled = False
        if self.room:
            self.wake_senders()
        if self.system or (self.state is RUNNING and self._can_go_on()):
            self.kick()
        return count

    def _can_go_on(self) -> bool:
        """Whether a queued message may run now (mail waits behind a handler that awaits)."""
        turn = self.turn
        if turn is None:
            return bool(self.user or self.control)
        if turn.awaited is not None and turn.awaited.done:
            return True
        return bool(self.control) and self._aside_index() is not None

    def _run_system(self) -> None:
        while self.system:
            self.system.popleft()()

    def handler_of(self, kind: type) -> Handler | None:
        """The handler of messages of this class."""
        return self.table.get(kind) or find(self.table, kind)

    def serves_aside(self, message: object) -> bool:
        """Whether `message` is handled while a handler awaits."""
        if not self.sorts:
            return False
        handler = self.handler_of(type(message))
        return handler is not None and handler.interleave

    def coalesced(self) -> None:
        """Count a message that a newer one has replaced."""
        self.realm.counts.coalesced.bump()

    def _next_control(self) -> object | None:
        """The next CONTROL item that may run now; after 16 in a row one USER message."""
        control = self.control
        if not control:
            return None
        if self.turn is not None:
            index = self._aside_index()
            if index is None:
                return None
            item = control[index]
            del control[index]
            return item
        if self.user and self.control_run >= CONTROL_RUN:
            self.control_run = 0
            return self.user.popleft()
        self.control_run += 1
        return control.popleft()

    def _aside_index(self) -> int | None:
        for index, item in enumerate(tuple(self.control or ())):
            if type(item) is Slot:
                handler: Handler | None = item.handler
            else:
                message = item.message if type(item) is Envelope else item
                handler = find(self.table, type(message))
            if handler is not None and handler.interleave:
                return index
        return None

    def _expired(self, item: Envelope) -> bool:
        now = self.realm.scheduler.clock.monotonic()
        if item.deadline is None or now <= item.deadline or self.dispatcher.patient:
            return False
        self.realm.dead(self.address, "expired", item.message, told=item.reply is not None)
        if item.reply is not None:
            late = Expired(self.address, type(item.message).__qualname__)
            item.reply.resolve(None, late)
        return True

    def _find(self, message: object, reply: Answerable | None) -> Handler | None:
        """The handler of a type seen for the first time; None after ending the message."""
        kind = type(message)
        handler = find(self.table, kind)
        if handler is not None:
            return handler
        cause = ""
        if redefined(self.table, kind):
            cause = "; it was defined again after this actor started, start the actor again"
        self.realm.dead(self.address, "unhandled", message, told=reply is not None)
        if reply is not None:
            reply.resolve(None, Unhandled(self.address, kind.__qualname__, cause))
        return None

    def flush(self) -> None:
        """End every message left in a sealed box: askers are answered, tells become letters."""
        if self.ended is None:
            return  # sealed but still draining: the marker ends what comes late
        failed = self.ended[0] == "failed"
        for item in self.take_all():
            if type(item) is StopMarker:
                continue
            message = item.message if type(item) is Envelope else item
            reply = item.reply if type(item) is Envelope else None
            if reply is not None:
                self.realm.counts.rejected.bump()
                reply.resolve(None, ActorDead(self.address, type(message).__qualname__))
            else:
                self.realm.dead(self.address, "dead" if failed else "shutdown", message)

    def lost_in_fork(self) -> None:
        """Take nothing more: this is a child process, and the loops are not in it."""
        self.sealed = True

    def in_flight(self) -> int:
        """Messages queued or being handled."""
        running = (self.turn is not None) + len(self.aside or ())
        return self.waiting() + running
