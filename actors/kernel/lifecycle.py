"""The life of an actor: started, running, failed and back, stopped, ended.

    new ──on_start──▶ running ──stop──▶ stopping ──children, on_stop──▶ dead
     │                 │  ▲
     └────failure──────┤  └──on_start── waiting ◀── back-off (a timer, nobody sleeps)
                       └────failure──▶ waiting, or dead when its spec or budget says so

Every method below runs on the owning loop unless it says otherwise. The cell (mailbox, name,
children, watchers) stays over restarts; only the actor object inside is replaced, so refs
stay valid and the USER lane survives.
"""

from __future__ import annotations

import abc
import enum
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.kernel.bonds import Bonds
from actors.kernel.errors import ActorFailed, StartFailed, describe
from actors.kernel.hooks import HookRun
from actors.kernel.mailbox import StopMarker
from actors.kernel.messages import DownReason
from actors.kernel.supervision import Again, ChildSpec, GiveUp, RestartLog

if TYPE_CHECKING:
    from actors.kernel.actor import Actor
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.future import ThreadReply
    from actors.kernel.realm import Realm

logger = logging.getLogger(__name__)


class State(enum.Enum):
    """Where in its life a cell is."""

    NEW = "new"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPING = "stopping"
    DEAD = "dead"


class LifeCycle(Bonds):
    """A mailbox with an actor behind it that can start, fail, start again and end."""

    __slots__ = ("actor", "enders", "hook", "log", "maker", "starter", "state", "stop_reason")

    def __init__(
        self,
        realm: Realm,
        path: str,
        spec: ChildSpec[Any],
        dispatcher: Dispatcher,
        parent: LifeCycle | None,
        *,
        has_control: bool,
    ) -> None:
        super().__init__(realm, path, spec, dispatcher, parent, has_control=has_control)
        self.actor: Actor | None = None
        self.maker: Callable[[], Actor] | None = None  # makes the next incarnation
        self.state = State.NEW
        self.hook: HookRun | None = None
        self.enders: list[Callable[[], object]] | None = None
        self.log: RestartLog | None = None
        self.starter: ThreadReply[bool] | None = None
        self.stop_reason: DownReason = "normal"

    # -- starting ---------------------------------------------------------------------------

    def begin(self, actor: Actor) -> None:
        """Start with the first instance; called once, by the thread that made it."""
        self.actor = actor
        if type(actor).starts_silently:
            self.state = State.RUNNING
            self._answer_starter(None)
        else:
            self.post(self._start)
        self.release()

    def stillborn(self, error: BaseException) -> None:
        """`__init__` raised: end before the beginning; called by the thread that tried."""
        text = f"{type(error).__name__}: {describe(error)}"
        self.state = State.STOPPING
        self.sealed = True
        self.stop_children(lambda: self._end("failed", text))
        self.release()

    def _start(self) -> None:
        if self.state is State.NEW and self.actor is not None:  # not stopped before it began
            self.hook = HookRun(self._started, self._start_failed)
            self.hook.begin(self.actor.on_start, self.dispatcher, f"{self.address} on_start")

    def _started(self) -> None:
        if self.state is State.STOPPING:  # told to stop meanwhile
            self._stop_parts(self._say_goodbye)
            return
        self.state = State.RUNNING
        self._answer_starter(None)
        self.kick()

    def _start_failed(self, error: BaseException) -> None:
        text = describe(error)
        logger.error("%s could not start: %s: %s", self.address, type(error).__name__, text)
        self._answer_starter(StartFailed(self.address, type(error).__name__, text))
        if self.state is State.STOPPING:
            self._stop_parts(self._finish)
        else:
            self._failed_life(error)

    def _answer_starter(self, error: StartFailed | None) -> None:
        starter, self.starter = self.starter, None
        if starter is not None:
            starter.resolve(error is None, error)

    # -- failing and starting again ---------------------------------------------------------

    def crash(self, error: BaseException) -> None:
        """A handler failed: tell the actor, then let its spec decide."""
        logger.error("%s failed: %s", self.address, type(error).__name__, exc_info=error)
        if self.state not in (State.RUNNING, State.NEW) or self.actor is None:
            return  # already on its way out
        try:
            self.actor.on_failure(type(error), error, error.__traceback__)
        except BaseException:  # also SystemExit: it ends this actor only, which fails anyway
            logger.exception("on_failure of %s failed", self.address)
        self._failed_life(error)

    def _failed_life(self, error: BaseException) -> None:
        self.state = State.WAITING
        self.cancel_timers()
        if self.hook is not None:
            self.hook.drop()
        self.abandon()
        text = f"{type(error).__name__}: {describe(error)}"
        decision = None if self.sealed else self._decide(failed=True)  # sealed: on its way out
        if isinstance(decision, Again):
            delay_s = decision.delay_s
            self.stop_children(lambda: self._await_restart(delay_s))
        else:
            self.sealed = True
            self.stop_children(lambda: self._down_for_good(decision, text))

    def _down_for_good(self, decision: GiveUp | None, text: str) -> None:
        if decision is None:
            self._end("failed", text)
        else:
            escalate = self.spec.exhausted == "escalate"
            self._end("failed", f"{decision.why}; last: {text}", escalate=escalate)

    def _decide(self, *, failed: bool) -> Again | GiveUp | None:
        if self.log is None:
            self.log = RestartLog()
        scheduler = self.realm.scheduler
        return self.log.decide(
            self.spec,
            failed=failed,
            now=scheduler.clock.monotonic(),
            chance=scheduler.random.random(),
        )

    def _await_restart(self, delay_s: float) -> None:
        if self.state is State.WAITING:
            self.timers.after(delay_s, self._restart)

    def _restart(self) -> None:
        if self.maker is None:
            return
        self.state = State.NEW
        try:
            self.actor = self.maker()
        except BaseException as error:  # noqa: BLE001 - whatever __init__ raises is a failed start
            self._start_failed(error)
            return
        self._start()

    # -- stopping ---------------------------------------------------------------------------

    def request_stop(
        self, reason: DownReason, *, drain: bool, done: Callable[[], object] | None = None
    ) -> None:
        """Begin to stop; `done` is called on the owning loop when the actor has ended.

        Args:
            reason: `normal` for an actor that stops itself, else `shutdown`.
            drain: Handle what was queued before, then stop (Pykka's order). Otherwise stop
                after the running handler; what is queued becomes dead letters (`shutdown`).
        """
        if self.state is State.DEAD:
            if done is not None:
                done()
            return
        if done is not None:
            if self.enders is None:
                self.enders = []
            self.enders.append(done)
        if self.stop_reason == "normal":  # who is told to stop does not start again
            self.stop_reason = reason
        if drain and self.state in (State.RUNNING, State.NEW):
            if not self.sealed:
                self.sealed = True
                self.user.append(StopMarker())
                self.kick()
            return
        self.stop_here()

    def stop_here(self) -> None:
        """Stop after the running handler (at most `shutdown_s`), children first."""
        if self.state in (State.STOPPING, State.DEAD):
            return
        goodbye = self._say_goodbye if self.state is State.RUNNING else self._finish
        self.state = State.STOPPING
        self.sealed = True
        self.cancel_timers()
        self._answer_starter(StartFailed(self.address, "Stopped", "stopped before it started"))
        if self.hook is not None and not self.hook.over:
            self.hook.limit(
                self.timers, self.spec.shutdown_s
            )  # on_start ends first, then `_started` goes on
        else:
            self.finish_turns(self.spec.shutdown_s, lambda: self._stop_parts(goodbye))

    def _stop_parts(self, then: Callable[[], object]) -> None:
        self.cancel_timers()
        self.stop_children(then)

    def _say_goodbye(self) -> None:
        if self.actor is None or type(self.actor).stops_silently:
            self._finish()
            return
        # a child that on_stop starts does not outlive its parent
        self.hook = HookRun(lambda: self._stop_parts(self._finish), self._goodbye_failed)
        self.hook.begin(self.actor.on_stop, self.dispatcher, f"{self.address} on_stop")
        if not self.hook.over:
            self.hook.limit(self.timers, self.spec.shutdown_s)

    def _goodbye_failed(self, error: BaseException) -> None:
        logger.error("on_stop of %s failed", self.address, exc_info=error)
        text = f"{type(error).__name__}: {describe(error)}"
        self._stop_parts(lambda: self._finish(text))

    def _finish(self, error: str | None = None) -> None:
        """The life is over; who stopped itself may begin another one, as its spec says."""
        decision = None
        if self.stop_reason == "normal":
            decision = self._decide(failed=error is not None)
        if isinstance(decision, Again):
            self.state = State.WAITING
            self.sealed = False
            self._await_restart(decision.delay_s)
        elif isinstance(decision, GiveUp):
            self._down_for_good(decision, error or "stopped itself")
        else:
            self._end(self.stop_reason if error is None else "failed", error)

    def _end(self, reason: DownReason, error: str | None, *, escalate: bool = False) -> None:
        if self.state is State.DEAD:
            return
        self.state = State.DEAD
        self.sealed = True
        self.ended = (reason, error)
        self.actor = None
        self.maker = None
        self.cancel_timers()
        self.realm.leave(self.path, self)
        self.flush()
        self.wake_senders()
        self.tell_watchers()
        enders, self.enders = self.enders, None
        for ender in enders or ():
            ender()
        parent = self.parent
        if parent is not None:
            parent.post(lambda: parent.child_ended(self, error if escalate else None))

    def cut_off(self) -> None:
        """Its loop is gone: end what is queued; called by the thread that closed the loop."""
        self.abandon()
        self._end("failed", "its loop was closed before it ended")

    def child_ended(self, child: LifeCycle, escalated: str | None) -> None:
        """Forget an ended child, or fail with it when it used up its restarts."""
        self.disown(child)
        if escalated is not None:
            self.crash(ActorFailed(child.address, "its restarts", "GaveUp", escalated))

    # -- what the turns add -----------------------------------------------------------------

    @abc.abstractmethod
    def abandon(self) -> None:
        """Give up the handlers that still run; their messages end here."""

    @abc.abstractmethod
    def finish_turns(self, patience_s: float, then: Callable[[], object]) -> None:
        """Call `then` when no handler runs; cancel what runs longer than `patience_s`."""

    @abc.abstractmethod
    def in_flight(self) -> int:
        """Messages queued or being handled."""
