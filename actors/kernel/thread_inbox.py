"""The inbox of a thread actor: bounded, sealed at the end, with one condition for each side."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from actors.kernel.counters import Counts
from actors.kernel.current import ON_LOOP
from actors.kernel.errors import ActorDead, ForkedProcess, MailboxFull
from actors.kernel.forks import FORKS
from actors.kernel.future import ThreadReply
from actors.kernel.logs import logger_for
from actors.kernel.mailbox import Envelope
from actors.kernel.waits import Holder

if TYPE_CHECKING:
    import pykka

    from actors.kernel.bonds import Bonds
    from actors.kernel.letters import DeadReason
    from actors.kernel.messages import DownReason
    from actors.kernel.ports import Answerable

logger = logger_for(__name__)

BOUND: Final = 1_024
ROOM_S: Final = 30.0


class Stop:
    """The order to end; `reply` is answered with True when it is carried out."""

    __slots__ = ("reply",)

    def __init__(self, reply: ThreadReply[bool] | None) -> None:
        self.reply = reply


class ThreadInbox:
    """What waits for one thread actor.

    `_lock` guards the deque, `closed`, `sealed` and the watchers; it is a leaf: nothing is called
    while it is held. `counts`, `bury` and `leave` are a system's once the actor belongs to one.
    """

    parent: Final = None

    ref: pykka.ActorRef[Any]  # of the actor; it does not keep the actor

    def __init__(self) -> None:
        self.bound = BOUND
        self.address = ""
        self.closed = False  # takes no message any more, but stops: who stops waits for the end
        self.sealed = False
        self.ended: tuple[DownReason, str | None] | None = None
        self.counts = Counts()
        self.bury: Callable[[DeadReason, object], None] = self._log
        self.leave: Callable[[], None] = lambda: None  # free the name
        self.owner: int | None = None  # the actor's own thread: it may not wait for room
        self.holder = Holder(self)
        self.keeper: Holder | None = None
        self.handling = ""  # class of the message that is handled, for people
        self._born = FORKS.generation
        self._items: deque[Envelope | Stop] = deque()
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._wakers: dict[Callable[[], object], bool] = {}  # of senders on loops; in their order
        self._watchers: list[Bonds] = []
        self._busy = 0

    def serves_aside(self, message: object) -> bool:
        """One message at a time, without exception."""
        return False

    def check_process(self) -> None:
        """Raise ForkedProcess if this process is not the one in which the actor runs."""
        if self._born != FORKS.generation:
            raise ForkedProcess(self.address)

    def lost_in_fork(self) -> None:
        """Nothing to do: every call checks the process, before it takes the lock."""

    # -- putting: any thread ----------------------------------------------------------------

    def put(self, message: object, reply: Answerable | None, wait_s: float) -> None:
        """Queue a message; waits for room, but not on a loop and not in the actor itself.

        Raises:
            ActorDead: the actor has ended.
            ForkedProcess: it runs in the process that this one was forked from.
            MailboxFull: no room within `wait_s` seconds.
        """
        self.check_process()
        may_wait = ON_LOOP.dispatcher is None and threading.get_ident() != self.owner
        with self._lock:
            if may_wait and len(self._items) >= self.bound:
                self._room.wait_for(lambda: self.closed or len(self._items) < self.bound, wait_s)
            if self.closed:
                raise ActorDead(self.address, type(message).__qualname__)
            if len(self._items) >= self.bound:
                raise MailboxFull(self.address, "USER", self.bound)
            self._items.append(Envelope(message, reply))
            self._filled.notify()

    def when_room(self, message: object, wake: Callable[[], object]) -> None:
        """Call `wake` (any thread) when to try `message` again, or when closed."""
        with self._lock:
            if not self.closed and len(self._items) >= self.bound:
                self._wakers[wake] = True
                return
        wake()

    def forget_room(self, wake: Callable[[], object]) -> None:
        """Undo `when_room`, for who waits no longer; any thread, also after the call."""
        with self._lock:
            self._wakers.pop(wake, None)

    def put_stop(self, reply: ThreadReply[bool] | None, *, overtake: bool) -> bool:
        """Queue a stop, which always finds room; False if the actor has ended already."""
        self.check_process()
        with self._lock:
            if self.sealed:
                return False
            if overtake:
                self._items.appendleft(Stop(reply))
            else:
                self._items.append(Stop(reply))
            self._filled.notify()
            return True

    # -- taking: the actor's thread ---------------------------------------------------------

    def get(self) -> Envelope | Stop:
        """Wait for the next item."""
        with self._lock:
            self._filled.wait_for(lambda: self._items)
            item = self._items.popleft()
            if isinstance(item, Envelope):
                self._busy = 1
                self.keeper = self.holder
                self.handling = type(item.message).__qualname__
            # half empty, so that a waiting thread is woken once per half inbox
            wakers = self._open_doors() if 2 * len(self._items) <= self.bound else ()
        for wake in wakers:
            wake()
        return item

    def done(self) -> None:
        """The item taken last has been handled."""
        self._busy = 0
        self.keeper = None

    def close(self) -> None:
        """Take no more messages: the last hook is about to run."""
        with self._lock:
            self.closed = True
            wakers = self._open_doors()
        for wake in wakers:
            wake()

    def seal(self) -> list[Envelope | Stop]:
        """Take nothing more; what was queued, oldest first."""
        with self._lock:
            self.sealed = True
            left = list(self._items)
            self._items.clear()
            return left

    def _open_doors(self) -> tuple[Callable[[], object], ...]:
        """Let waiting threads go on; the calls for those who wait on a loop."""
        self._room.notify_all()
        wakers = tuple(self._wakers)
        self._wakers.clear()
        return wakers

    def in_flight(self) -> int:
        """Messages queued or being handled, without stops."""
        with self._lock:
            return sum(isinstance(item, Envelope) for item in self._items) + self._busy

    def _log(self, reason: DeadReason, message: object) -> None:
        """What an actor without a system has instead of dead letters."""
        kind = type(message).__qualname__
        logger.warning("dead letter (%s): %s to %s", reason, kind, self.address)

    # -- watching ---------------------------------------------------------------------------

    def watched_by(self, watcher: Bonds) -> None:
        """Promise `watcher` exactly one `Down`; any thread."""
        with self._lock:
            if self.ended is None:
                self._watchers.append(watcher)
                return
        watcher.put_down(self.address, "no_such_actor", self.ended[1])

    def end(self, reason: DownReason, error: str | None) -> None:
        """Say to the watchers that it is over; called once, by the actor's thread."""
        with self._lock:
            self.ended = (reason, error)
            watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher.put_down(self.address, reason, error)
