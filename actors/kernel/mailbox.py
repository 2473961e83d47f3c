"""Mailboxes: three lanes, each with a bound that rejects to the sender.

    SYSTEM    zero-argument calls of the kernel itself (stop, watch, child ended); unbounded,
              never rejected, run even while a handler awaits
    CONTROL   messages of handlers marked `control` or `@interleave`; 256
    USER      everything else; 1,024 messages and 16 MiB

Any thread puts; only the owning loop takes. There is no lock on the way: `deque.append` and
`popleft` are atomic, and every hand-over follows one rule: *first leave your mark, then look
for the other side's*. A putter appends and then looks whether the box was sealed (then it
flushes what it finds); the owner marks "not scheduled" and then looks whether something came
in. Threads that put at the very same moment may overshoot a bound by one message each.

A box is born held (marked as scheduled, but on no ready queue): whatever comes before its
maker calls `release` waits, so that the maker may work on it without a lock.

A plain `tell` of a small message travels bare; only asks, deadlines and large messages need
an `Envelope` (it would cost more than the delivery).

Messages of a handler that coalesces share a `Slot` per key: the slot keeps its place in the lane,
the newest message is what is taken from it, and those it replaced end as coalesced. Asks and
messages with a deadline have somebody who waits, so they never coalesce.
"""

from __future__ import annotations

import abc
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Final

from actors.kernel.errors import KernelError, MailboxFull, MessageTooBig
from actors.kernel.forks import keep_over_forks
from transport.message import local_size

if TYPE_CHECKING:
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.handlers import Handler
    from actors.kernel.ports import Answerable
    from actors.kernel.waits import Holder

USER_BOUND: Final = 1_024  # messages
USER_BYTES: Final = 16 * 1024 * 1024
CONTROL_BOUND: Final = 256
# Bytes; the wire's frame limit of 1 MiB holds locally too, less what stands around a payload.
MESSAGE_LIMIT: Final = 1024 * 1024 - 8 * 1024
SMALL: Final = 256  # what a message without text or bytes counts
CONTROL_RUN: Final = 16  # CONTROL messages before one USER message is served

# leaf; guards `bytes_in` (large messages only), the slots, and the making of lanes
_LOCK = keep_over_forks(threading.Lock())


class Envelope:
    """A message with what must travel beside it."""

    __slots__ = ("deadline", "failures", "message", "reply", "size")

    def __init__(
        self,
        message: object,
        reply: Answerable | None = None,
        size: int = SMALL,
        deadline: float | None = None,
    ) -> None:
        self.message = message
        self.reply = reply
        self.size = size
        self.deadline = deadline  # seconds on the system's monotonic clock
        self.failures = 0  # incarnations that failed on it


class Slot:
    """The place in a lane that messages of one handler with one key share."""

    __slots__ = ("handler", "key")

    def __init__(self, handler: Handler, key: Hashable) -> None:
        self.handler = handler
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slot) and (self.handler, self.key) == (other.handler, other.key)

    def __hash__(self) -> int:
        return hash((self.handler, self.key))


class StopMarker:
    """The end of a sealed USER lane: everything before it is handled, then the actor stops."""

    __slots__ = ()


class Mailbox(abc.ABC):
    """The lanes of one actor. `dispatcher` is the loop that takes from them."""

    __slots__ = (
        "address",
        "bound",
        "bytes_in",
        "bytes_out",
        "control",
        "dispatcher",
        "keeper",
        "room",
        "scheduled",
        "sealed",
        "slots",
        "sorts",
        "system",
        "user",
    )

    def __init__(self, address: str, dispatcher: Dispatcher, bound: int, *, sorts: bool) -> None:
        self.address = address
        self.dispatcher = dispatcher
        self.bound = bound
        self.sorts = sorts  # whether any of its handlers is control or coalesces
        self.user: deque[object] = deque()
        self.control: deque[object] | None = None
        self.system: deque[Callable[[], object]] | None = None
        # senders that wait for room, in the order they came; a dict, so that one may leave
        self.room: dict[Callable[[], object], object] | None = None  # and what each has to send
        self.slots: dict[Slot, object] | None = None  # the newest message per key; under _LOCK
        self.keeper: Holder | None = None  # the handler or hook that keeps it shut; see `waits`
        self.scheduled = True  # held; see `release`
        self.sealed = False
        self.bytes_in = 0  # beyond SMALL per message; under _LOCK
        self.bytes_out = 0  # written by the owning loop only

    # -- putting: any thread ----------------------------------------------------------------

    def put(
        self, message: object, reply: Answerable | None = None, deadline: float | None = None
    ) -> None:
        """Queue a message or say at once why not.

        Raises:
            ActorDead, ForkedProcess: the mailbox is sealed.
            MailboxFull: the lane has no room for it.
            MessageTooBig: it counts more than 1,040,384 bytes.
        """
        if self.sealed:
            raise self.gone(type(message).__qualname__)
        size = local_size(message)
        lane, bound = self.user, self.bound
        if self.sorts:
            handler = self.handler_of(type(message))
            if handler is not None and handler.control:
                lane, bound = self._control_lane(), CONTROL_BOUND
            waited_for = reply is not None or deadline is not None
            if handler is not None and handler.key is not None and not waited_for:
                self._coalesce(lane, bound, message, Slot(handler, handler.key(message)), size)
                return
        if len(lane) >= bound:
            raise MailboxFull(self.address, "USER" if lane is self.user else "CONTROL", bound)
        if size > SMALL:
            with _LOCK:
                self._admit(size - SMALL, "USER" if lane is self.user else "CONTROL")
        if reply is None and size == SMALL and deadline is None:
            lane.append(message)
        else:
            lane.append(Envelope(message, reply, size, deadline))
        if not self.scheduled:
            self.dispatcher.schedule(self)
        if self.sealed:
            self.flush()

    def _coalesce(
        self, lane: deque[object], bound: int, message: object, slot: Slot, size: int
    ) -> None:
        """Take the place of an earlier message with the same key, or queue a new slot."""
        name = "USER" if lane is self.user else "CONTROL"
        with _LOCK:  # against other putters, and against `redeem`
            if self.slots is None:
                self.slots = {}
            earlier = self.slots.get(slot)
            if earlier is None and len(lane) >= bound:
                raise MailboxFull(self.address, name, bound)
            self._admit(size - (SMALL if earlier is None else local_size(earlier)), name)
            self.slots[slot] = message
            if earlier is None:
                lane.append(slot)
        if earlier is not None:
            self.coalesced()
        if not self.scheduled:
            self.dispatcher.schedule(self)
        if self.sealed:
            self.flush()

    def redeem(self, slot: Slot) -> Envelope:
        """Take the newest message of a slot that was taken from its lane."""
        with _LOCK:
            assert self.slots is not None  # a slot in a lane is in the table
            message = self.slots.pop(slot)
        return Envelope(message, size=local_size(message))

    def put_unbounded(self, message: object) -> None:
        """Queue kernel mail (`Down`) in the USER lane, exempt from its bound; lost if sealed."""
        self.user.append(message)
        if not self.scheduled:
            self.dispatcher.schedule(self)
        if self.sealed:
            self.flush()

    def post(self, call: Callable[[], object]) -> None:
        """Queue a SYSTEM call; it runs on the owning loop, also after the actor died."""
        if self.system is None:
            with _LOCK:  # two threads must not each make a lane
                if self.system is None:
                    self.system = deque()
        self.system.append(call)
        if not self.scheduled:
            self.dispatcher.schedule(self)

    def release(self) -> None:
        """Let the loop serve it from now on; the last act of the thread that made it."""
        self.scheduled = False
        if self.user or self.control or self.system:
            self.dispatcher.schedule(self)

    def kick(self) -> None:
        """Serve the mailbox soon."""
        if not self.scheduled:
            self.dispatcher.schedule(self)

    def has_room(self, message: object) -> bool:
        """Whether `message` would be taken now."""
        queued, bound = self._queued_like(message)
        extra = local_size(message) - SMALL
        return queued < bound and (
            not extra or self.bytes_in - self.bytes_out + extra <= USER_BYTES
        )

    def when_room(self, message: object, wake: Callable[[], object]) -> None:
        """Call `wake` (any thread, once or twice) when to try `message` again, or on sealing."""
        if self.room is None:
            with _LOCK:
                if self.room is None:
                    self.room = {}
        self.room[wake] = message
        if self.sealed or self.has_room(message):
            wake()

    def forget_room(self, wake: Callable[[], object]) -> None:
        """Undo `when_room`, for who waits no longer; any thread, also after the call."""
        if self.room is not None:
            self.room.pop(wake, None)

    def _admit(self, extra: int, lane: str) -> None:
        """Count bytes beyond SMALL; called under _LOCK."""
        if extra > MESSAGE_LIMIT - SMALL:
            raise MessageTooBig(self.address, extra + SMALL, MESSAGE_LIMIT)
        if self.bytes_in - self.bytes_out + extra > USER_BYTES:
            raise MailboxFull(self.address, lane, self.bound if lane == "USER" else CONTROL_BOUND)
        self.bytes_in += extra

    def _control_lane(self) -> deque[object]:
        if self.control is None:
            with _LOCK:
                if self.control is None:
                    self.control = deque()
        return self.control

    # -- taking: the owning loop ------------------------------------------------------------

    def wake_senders(self) -> None:
        """Tell the senders that wait for room to try again, in the order they came."""
        room = self.room
        if room is not None:
            for wake, message in tuple(room.items()):
                # who finds no room would come back and, if it is this actor itself, for ever
                if (self.sealed or self.roomy(message)) and wake in room:
                    del room[wake]
                    wake()

    def roomy(self, message: object) -> bool:
        """Whether its lane is half empty: a sender is woken once per half lane, not per message."""
        queued, bound = self._queued_like(message)
        return 2 * queued <= bound and self.has_room(message)

    def is_control(self, message: object) -> bool:
        """Whether `message` travels in the CONTROL lane."""
        handler = self.handler_of(type(message)) if self.sorts else None
        return handler is not None and handler.control

    def _queued_like(self, message: object) -> tuple[int, int]:
        """How much waits in the lane of `message`, and the bound of that lane."""
        if self.is_control(message):
            return len(self.control or ()), CONTROL_BOUND
        return len(self.user), self.bound

    def waiting(self) -> int:
        """Messages queued in CONTROL and USER, without stop markers."""
        items = list(self.user) + list(self.control or ())
        return sum(1 for item in items if type(item) is not StopMarker)

    def take_all(self) -> Iterator[object]:
        """Take everything that is queued; each item goes to exactly one taker."""
        for lane in (self.control, self.user):
            while lane:
                try:
                    item = lane.popleft()
                except IndexError:  # another thread took the last one
                    break
                yield self.redeem(item) if type(item) is Slot else item

    @abc.abstractmethod
    def gone(self, what: str) -> KernelError:
        """Why a sealed box does not take `what`."""

    @abc.abstractmethod
    def handler_of(self, kind: type) -> Handler | None:
        """The handler of messages of this class."""

    @abc.abstractmethod
    def coalesced(self) -> None:
        """Count a message that a newer one has replaced."""

    @abc.abstractmethod
    def flush(self) -> None:
        """End every message left in a sealed box: askers are answered, tells become letters."""

    @abc.abstractmethod
    def run(self, limit: int) -> int:
        """Handle up to `limit` messages; how many were."""
