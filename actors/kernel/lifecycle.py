"""The life of an actor: started, running, failed and back, stopped, ended.

    new ──on_start──▶ running ──stop──▶ stopping ──children, on_stop──▶ dead, or waiting (parked)
     │                 │  ▲
     └────failure──────┤  └──on_start── waiting ◀── back-off (a timer, nobody sleeps)
                       └────failure──▶ waiting, or dead when its spec or budget says so

Who waits starts again by its own timer, or with its siblings when its strategy says so
(`groups.py`): those are parked meanwhile.

Every method below runs on the owning loop unless it says otherwise. The cell (mailbox, name,
children, watchers) stays over restarts; only the actor object inside is replaced, so refs
stay valid and the USER lane survives.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.kernel.bonds import Bonds
from actors.kernel.errors import ActorFailed, StartFailed, describe
from actors.kernel.groups import RestartGroup
from actors.kernel.hooks import HookRun
from actors.kernel.logs import logger_for
from actors.kernel.mailbox import StopMarker
from actors.kernel.messages import DownReason
from actors.kernel.supervision import Again, ChildSpec, GiveUp, RestartLog

if TYPE_CHECKING:
    from actors.kernel.actor import Actor
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.ports import Answerable
    from actors.kernel.realm import Realm

logger = logger_for(__name__)


class State(enum.Enum):
    """Where in its life a cell is."""

    NEW = "new"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPING = "stopping"
    DEAD = "dead"


class LifeCycle(Bonds):
    """A mailbox with an actor behind it that can start, fail, start again and end."""

    __slots__ = (
        "actor",
        "enders",
        "group",
        "hook",
        "log",
        "maker",
        "parked",
        "starters",
        "state",
        "stop_reason",
        "up",
    )

    def __init__(
        self,
        realm: Realm,
        path: str,
        spec: ChildSpec[Any],
        dispatcher: Dispatcher,
        parent: LifeCycle | None,
        *,
        sorts: bool,
    ) -> None:
        super().__init__(realm, path, spec, dispatcher, parent, sorts=sorts)
        self.actor: Actor | None = None
        self.maker: Callable[[], Actor] | None = None  # makes the next incarnation
        self.state = State.NEW
        self.hook: HookRun | None = None
        self.enders: list[Callable[[], object]] | None = None
        self.log: RestartLog | None = None
        self.starters: list[Answerable] | None = None  # who waits for it to be up
        self.stop_reason: DownReason = "normal"
        self.group: RestartGroup | None = None  # of its children
        self.parked: list[Callable[[], object]] | None = None  # who waits for it to be down
        self.up: Callable[[], object] | None = None  # who waits for it to be up again

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

    def tell_started(self, starter: Answerable) -> None:
        """Answer when it is up, or cannot be; any thread."""
        self.post(lambda: self.when_started(starter))

    def when_started(self, starter: Answerable) -> None:
        """Answer True when it runs, or with StartFailed when it cannot, or has ended."""
        if self.state is State.RUNNING:
            starter.resolve(True, None)
        elif self.state in (State.STOPPING, State.DEAD) and self.parked is None:
            why = self.ended[1] if self.ended is not None else None
            starter.resolve(None, StartFailed(self.address, "Stopped", why or "it has ended"))
        else:
            self.starters = [*(self.starters or ()), starter]

    def _start(self) -> None:
        if self.state is State.NEW and self.actor is not None:  # not stopped before it began
            self.hook = HookRun(self, self._started, self._start_failed)
            self.hook.begin(self.actor.on_start, self.dispatcher, f"{self.address} on_start")

    def _started(self) -> None:
        if self.state is State.STOPPING:  # told to stop meanwhile
            self._stop_parts(self._say_goodbye)
            return
        self.state = State.RUNNING
        self._answer_starter(None)
        self._say_up()
        self.kick()

    def _start_failed(self, error: BaseException) -> None:
        text = describe(error)
        self.log_error("could not start: %s: %s", type(error).__name__, text)
        self._answer_starter(StartFailed(self.address, type(error).__name__, text))
        if self.state is State.STOPPING:
            self._stop_parts(self._finish)
        else:
            self._failed_life(error)

    def _answer_starter(self, error: StartFailed | None) -> None:
        starters, self.starters = self.starters, None
        for starter in starters or ():
            starter.resolve(error is None, error)

    # -- failing and starting again ---------------------------------------------------------

    def crash(self, error: BaseException) -> None:
        """A handler failed: tell the actor, then let its spec decide."""
        self.log_error("failed: %s", type(error).__name__, cause=error)
        if self.state not in (State.RUNNING, State.NEW) or self.actor is None:
            return  # already on its way out
        try:
            self.actor.on_failure(type(error), error, error.__traceback__)
        except BaseException as again:  # noqa: BLE001 - also SystemExit: this actor fails anyway
            self.log_error("its on_failure failed, too", cause=again)
        self._failed_life(error)

    def _failed_life(self, error: BaseException) -> None:
        self.state = State.WAITING
        self.group = None
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
        parent = self.parent
        if self.state is not State.WAITING:
            return
        if parent is None or self.spec.strategy == "one_for_one":
            self.timers.after(delay_s, self._restart)
        else:
            parent.post(lambda: parent.regroup(self, delay_s))

    def regroup(self, child: LifeCycle, delay_s: float) -> None:
        """Start a child of this actor, which is down, again together with its siblings."""
        if self.state in (State.STOPPING, State.DEAD, State.WAITING):
            return  # its children are being stopped
        if self.group is None:
            self.group = RestartGroup(self)
        self.group.join(child, delay_s)

    def park(self, done: Callable[[], object]) -> None:
        """End this incarnation and wait for `unpark`; mail stays queued.

        A handler that runs is interrupted and gets `shutdown_s` to clean up; then the children
        and `on_stop`, as for any orderly end. `done` is called when it is down, also for good.
        """
        if self.hook is not None:
            self.hook.settle()  # who has just started says goodbye, too
        if self.state is State.DEAD:
            done()
        elif self.state is State.WAITING and self.parked is None:
            self.stop_children(done)  # those of the incarnation that failed may still be ending
        elif self.parked is not None:
            self.parked.append(done)
        elif self.state is State.STOPPING:
            self.enders = [*(self.enders or ()), done]
        else:
            self._wind_down([done])

    def _wind_down(self, parked: list[Callable[[], object]]) -> None:
        then = self._say_goodbye if self.state is State.RUNNING else self._finish
        self.parked = parked
        self.state = State.STOPPING
        self.group = None
        self.cancel_timers()
        if self.hook is not None:
            self.hook.drop()
        self.interrupt_turns(self.spec.shutdown_s, lambda: self._stop_parts(then))

    def _down(self) -> None:
        """It is down: wait with what is queued, unless somebody has asked for the end meanwhile."""
        parked, self.parked = self.parked, None
        if self.sealed:
            self._end(self.stop_reason, None)
        else:
            self.state = State.WAITING
            self.actor = None
        for done in parked or ():
            done()

    def unpark(self, up: Callable[[], object]) -> None:
        """Start again after `park`; `up` is called when it runs, or has ended."""
        if self.state is not State.WAITING:
            up()
            return
        self.up = up
        self.cancel_timers()  # of its own back-off, which would start it a second time
        self._restart()

    def _say_up(self) -> None:
        up, self.up = self.up, None
        if up is not None:
            up()

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

    def end(self, reply: Answerable, *, drain: bool) -> None:
        """Stop it; answer True when it has ended, False if it had ended before; any thread."""
        self.check_process()
        if self.ended is not None:
            reply.resolve(False, None)
            return

        def ended() -> None:
            reply.resolve(True, None)

        self.post(lambda: self.request_stop("shutdown", drain=drain, done=ended))

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
            self.sealed = True  # who is being parked ends instead
            return
        goodbye = self._say_goodbye if self.state is State.RUNNING else self._finish
        self.state = State.STOPPING
        self.sealed = True
        self.group = None
        self.cancel_timers()
        self._answer_starter(StartFailed(self.address, "Stopped", "stopped before it started"))
        if self.hook is not None and not self.hook.over:
            # on_start ends first, then `_started` goes on
            self.hook.limit(self.timers, self.spec.shutdown_s, self.realm.counts.fenced.bump)
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
        self.hook = HookRun(self, lambda: self._stop_parts(self._finish), self._goodbye_failed)
        self.hook.begin(self.actor.on_stop, self.dispatcher, f"{self.address} on_stop")
        if not self.hook.over:
            self.hook.limit(self.timers, self.spec.shutdown_s, self.realm.counts.fenced.bump)

    def _goodbye_failed(self, error: BaseException) -> None:
        self.log_error("its on_stop failed", cause=error)
        text = f"{type(error).__name__}: {describe(error)}"
        self._stop_parts(lambda: self._finish(text))

    def _finish(self, error: str | None = None) -> None:
        """The life is over; who stopped itself may begin another one, as its spec says."""
        if self.parked is not None:
            self._down()
            return
        decision = None
        if self.stop_reason == "normal":
            decision = self._decide(failed=error is not None)
        if isinstance(decision, Again):
            self.state = State.WAITING
            self.sealed = False
            # a group that waits for it to be down starts it again with the others
            siblings, self.enders = self.enders, None
            for down in siblings or ():
                down()
            if not siblings:
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
        self._answer_starter(StartFailed(self.address, "Stopped", error or "it has ended"))
        self.flush()
        self.wake_senders()
        self.tell_watchers()
        self._say_up()
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

    def log_error(self, text: str, *values: object, cause: BaseException | None = None) -> None:
        """Log an error of this actor."""
        told = {"actor": self.address}
        logger.error("%s: %s", self.address, text % values, exc_info=cause, extra=told)

    # -- what the turns add -----------------------------------------------------------------

    @abc.abstractmethod
    def abandon(self) -> None:
        """Give up the handlers that still run; their messages end here."""

    @abc.abstractmethod
    def serves_aside(self, message: object) -> bool:
        """Whether `message` is handled while a handler awaits."""

    @abc.abstractmethod
    def finish_turns(self, patience_s: float, then: Callable[[], object]) -> None:
        """Call `then` when no handler runs; cancel what runs longer than `patience_s`."""

    @abc.abstractmethod
    def interrupt_turns(self, patience_s: float, then: Callable[[], object]) -> None:
        """Cancel the handlers that run; call `then` when they ended, or after `patience_s`."""

    @abc.abstractmethod
    def in_flight(self) -> int:
        """Messages queued or being handled."""
