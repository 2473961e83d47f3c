"""`ActorSystem(wire=True)`: every typed message between loop actors goes through codec and ZeroMQ.

    ref.tell ─▶ WiredCell.put ─ codec ─▶ inproc:// ─▶ the actor's loop ─ codec ─▶ Cell.put
    answer  ◀── codec ◀── inproc:// ◀── codec ◀── handler

The actors cannot tell the difference, and that is the point: what cannot cross a border is found
in one process. Final states are equal; a refusal that is found on arrival comes later. What has to
keep its place behind messages goes the same way: `Down`, and a stop that drains.

Objects that are no messages, and errors, pass by reference. `Wires.crossed` counts the messages and
answers that were decoded; it equals the number of those that were encoded.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from actors.kernel.cell import Cell
from actors.kernel.counters import Tally
from actors.kernel.errors import ActorDead, KernelError, MailboxFull, MessageTooBig
from actors.kernel.future import Answering
from actors.kernel.mailbox import CONTROL_BOUND, MESSAGE_LIMIT, SMALL, USER_BYTES
from actors.kernel.messages import Down, DownReason
from transport.codec import decode_local, decode_reply, encode_local, encode_reply
from transport.endpoint import end_context, new_context
from transport.errors import TooBigForWire
from transport.loopback import Loopback
from transport.message import Message, Request, local_size, resolving

if TYPE_CHECKING:
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.letters import DeadReason
    from actors.kernel.ports import Answerable, Scheduler

NUMBER_BYTES: Final = 8
CLOSE_S: Final = 2.0


class Wires:
    """The wires of one system, one per loop; any thread may send."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.encoded = Tally()
        self.crossed = Tally()
        self._context = new_context()
        self._closed = False
        self._next = itertools.count(1).__next__
        self._under_way: dict[int, tuple[Callable[[bytes], object], Callable[[], object]]] = {}
        self._loops: dict[Dispatcher, Loopback] = {}
        for dispatcher in {scheduler.dispatcher("system"), scheduler.dispatcher("member")}:
            opened = threading.Event()
            loopback = Loopback(dispatcher.loop, self._context, self._received)
            self._loops[dispatcher] = loopback
            dispatcher.call(partial(_open, loopback, opened))
            opened.wait(CLOSE_S)

    def send(
        self,
        to: Dispatcher,
        payload: bytes,
        arrived: Callable[[bytes], object],
        lost: Callable[[], object],
    ) -> None:
        """Have a payload arrive on a loop, behind what this thread sent before.

        Args:
            arrived: Called with it there.
            lost: Called instead when the wires are closed before.
        """
        if self._closed:
            lost()
            return
        number = self._next()
        self._under_way[number] = (arrived, lost)
        self._loops[to].send(number.to_bytes(NUMBER_BYTES) + payload)

    def _received(self, frame: bytes) -> None:
        number = int.from_bytes(frame[:NUMBER_BYTES])
        arrived, _ = self._under_way.pop(number)
        arrived(frame[NUMBER_BYTES:])

    def close(self) -> None:
        """Close the sockets, once the loops have ended or were left behind."""
        self._closed = True
        for loopback in self._loops.values():
            loopback.close()
        end_context(self._context)
        while self._under_way:
            _, (_, lost) = self._under_way.popitem()
            lost()


def _open(loopback: Loopback, opened: threading.Event) -> None:
    loopback.open()
    opened.set()


class WiredReply(Answering):
    """Where the answer to a wired ask goes: through the wire to where it was asked."""

    __slots__ = ("_cell", "_reply", "_request", "asker")

    def __init__(self, cell: WiredCell, reply: Answerable, request: type[Request[Any]]) -> None:
        self._cell = cell
        self._reply = reply
        self._request = request
        self.asker = getattr(reply, "asker", None)  # who waits, for the graph of waits

    def resolve(self, value: Any, error: BaseException | None) -> object:
        """Answer with a value, which crosses, or an error."""
        if error is not None:
            return self._reply.resolve(None, error)
        wires = self._cell.wires
        try:
            payload = encode_reply(self._request, value)
        except Exception as unfit:  # noqa: BLE001 - whatever is wrong with the value is the answer
            return self._reply.resolve(None, unfit)
        wires.encoded.bump()
        wires.send(self._cell.dispatcher, payload, self._arrived, self._lost)
        return None

    def _lost(self) -> None:
        self._reply.resolve(None, ActorDead(self._cell.address, "the answer"))

    def _arrived(self, payload: bytes) -> None:
        self._cell.wires.crossed.bump()
        with resolving(self._cell.realm.resolve):
            value = decode_reply(self._request, payload)
        self._reply.resolve(value, None)


class WiredCell(Cell):
    """A cell whose typed mail comes through its loop's wire."""

    __slots__ = ("_coming", "_coming_bytes", "_coming_downs", "_lock", "wires")

    wires: Wires
    _lock: threading.Lock
    _coming: int
    _coming_bytes: int
    _coming_downs: int  # exempt from the bound

    def put(
        self, message: object, reply: Answerable | None = None, deadline: float | None = None
    ) -> None:
        """Queue a message or say at once why not; see `Mailbox.put`."""
        if not isinstance(message, Message):
            super().put(message, reply, deadline)
            return
        if self.sealed:
            raise self.gone(type(message).__qualname__)
        size = local_size(message)
        if size > MESSAGE_LIMIT:
            raise MessageTooBig(self.address, size, MESSAGE_LIMIT)
        try:
            payload = encode_local(message)
        except TooBigForWire as error:
            raise MessageTooBig(self.address, error.size, error.limit) from error
        kind = type(message)
        wired = reply
        if reply is not None and isinstance(message, Request):
            wired = WiredReply(self, reply, kind)  # type: ignore[arg-type]  # a Request's class
        self._reserve(message, size - SMALL)
        self.wires.encoded.bump()
        arrived = partial(self._arrived, kind, wired, reply, deadline, size - SMALL)
        self.wires.send(self.dispatcher, payload, arrived, partial(self.lost, message, reply))

    def _reserve(self, message: Message, extra: int) -> None:
        """Take a place, and bytes, for a message that is on its way."""
        control = self.is_control(message)
        lane = self.control if control else self.user
        bound = CONTROL_BOUND if control else self.bound
        with self._lock:
            if len(lane or ()) + self._coming >= bound:
                raise MailboxFull(self.address, "CONTROL" if control else "USER", bound)
            taken = self.bytes_in - self.bytes_out + self._coming_bytes
            if extra and taken + extra > USER_BYTES:
                raise MailboxFull(self.address, "CONTROL" if control else "USER", bound)
            self._coming += 1
            self._coming_bytes += extra

    def _arrived(
        self,
        kind: type[Message],
        wired: Answerable | None,
        reply: Answerable | None,
        deadline: float | None,
        extra: int,
        payload: bytes,
    ) -> None:
        with resolving(self.realm.resolve):
            message = decode_local(kind, payload)
        self.wires.crossed.bump()
        try:
            super().put(message, wired, deadline)
        except KernelError as error:
            if reply is not None:
                self.refused()
                reply.resolve(None, error)
            else:
                self.realm.dead(self.address, self._reason(error), message)
        finally:
            with self._lock:  # its place was taken until now
                self._coming -= 1
                self._coming_bytes -= extra

    def _reason(self, error: KernelError) -> DeadReason:
        if isinstance(error, MailboxFull):
            return "full"
        failed = self.ended is not None and self.ended[0] == "failed"
        return "dead" if failed else "shutdown"

    def lost(self, message: Message | None, reply: Answerable | None) -> None:
        """Its loop has ended before the message came."""
        if reply is not None:
            self.refused()
            reply.resolve(None, ActorDead(self.address))
        elif message is not None:
            self.realm.dead(self.address, "dead", message)

    def put_down(self, address: str, reason: DownReason, error: str | None) -> None:
        """Queue the `Down` of a watched actor, behind what that one told before."""
        self.bump()
        down = Down(address=address, reason=reason, error=error)
        with self._lock:
            self._coming_downs += 1
        self.wires.encoded.bump()
        lost = partial(self.lost, down, None)
        self.wires.send(self.dispatcher, encode_local(down), self._down_arrived, lost)

    def _down_arrived(self, payload: bytes) -> None:
        self.wires.crossed.bump()
        self.put_unbounded(decode_local(Down, payload))
        with self._lock:
            self._coming_downs -= 1

    def end(self, reply: Answerable, *, drain: bool) -> None:
        """Stop it; a stop that drains keeps its place behind what was told before."""
        if not drain or self.ended is not None:
            super().end(reply, drain=drain)
            return
        self.check_process()

        def stop(_: bytes) -> None:
            super(WiredCell, self).end(reply, drain=True)

        self.wires.send(self.dispatcher, b"", stop, partial(reply.resolve, True, None))

    def in_flight(self) -> int:
        """Messages on their way, queued or being handled."""
        return super().in_flight() + self._coming + self._coming_downs


def wired_cells(wires: Wires) -> Callable[..., Cell]:
    """What makes the cells of a wired system."""

    def make(*args: Any, **kwargs: Any) -> Cell:  # Any: a Cell's own, passed on
        cell = WiredCell(*args, **kwargs)
        cell.wires = wires
        cell._lock = threading.Lock()  # leaf; guards `_coming`
        cell._coming = cell._coming_bytes = cell._coming_downs = 0
        return cell

    return make
