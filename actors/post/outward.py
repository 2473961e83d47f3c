"""The way out: what a ref of an actor on another node holds.

A message becomes an envelope in the thread that sends it, so that what cannot travel is refused to
its sender. Two bounds turn into `WouldBlock`: what waits for the link, and what is on its way to
one actor without being in its mailbox yet (1,024, and 16 MiB of large ones per peer). For the
second, every 256th message that is told and every large one asks for a confirmation, which the
other side gives once the message is in the mailbox; so a slow actor slows down those who tell it,
and nobody else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pykka

from actors.kernel.current import ON_LOOP
from actors.kernel.errors import (
    ChainTooLong,
    KernelError,
    LocalOnly,
    MessageTooBig,
    WouldBlock,
)
from actors.kernel.mailbox import MESSAGE_LIMIT, SMALL
from actors.kernel.waits import Holder
from actors.post.inward import RemoteReply
from actors.post.line import WINDOW
from actors.post.parking import LARGE_BYTES
from actors.post.tokens import Asked, Confirmation, Question, Stopped, Watch
from transport.codec import encode_message, pack_envelope
from transport.envelope import Envelope, Kind
from transport.errors import TooBigForWire
from transport.heads import head_of, row_of, row_with, tail_of
from transport.limits import CHAIN_LIMIT, PAYLOAD_LIMIT
from transport.message import Message, Request, local_size

if TYPE_CHECKING:
    from actors.kernel.bonds import Bonds
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.ports import Answerable
    from actors.kernel.realm import Realm
    from actors.post.line import Line
    from actors.post.office import Office
    from actors.post.tokens import Token, Told
    from transport.address import Address

CONFIRM: Final = 256  # of them ask for a confirmation
TAILS: Final = 256  # classes of questions and chains of their askers that are remembered
_ASK: Final = int(Kind.ASK)
LEFT_MS: Final = 2**62  # an envelope takes less than 2**63
PRUNE: Final = 4_096  # asks, after which those that were given up are forgotten


class RemoteBox:
    """The recipient behind a ref of an actor on another node; see `kernel.ports.Recipient`.

    Any thread may use it. `_lock` is a leaf; it guards the numbers.
    """

    kind: type[Any] = pykka.Actor  # its class is over there
    sealed = False  # only the other side knows
    keeper: Holder | None = None  # and who keeps its mailbox shut

    def __init__(self, office: Office, address: Address) -> None:
        self.address = str(address)
        self.realm: Realm = office.realm  # of the system that the ref belongs to
        self.dispatcher: Dispatcher = office.data.dispatcher
        self._office = office
        self._node = address.node
        self._path = address.actor
        self._lock = threading.Lock()
        self._told = 0
        self._confirmed = 0
        self._waiters: dict[Callable[[], object], None] = {}
        self._heads: dict[type[Message], bytes] = {}  # of what is told, by its class
        self._tails: dict[tuple[type[Message], tuple[str, ...]], bytes] = {}  # of what is asked

    def check_process(self) -> None:
        """Raise ForkedProcess if this process is not the one that is connected."""
        self.realm.check_process()

    def serves_aside(self, message: object) -> bool:
        """It may; who closes a circle is refused over there."""
        return False

    def bump(self) -> None:
        """Counted by the link."""

    def refused(self) -> None:
        """Counted by the office."""
        self._office.refused.bump()

    # -- messages ---------------------------------------------------------------------------

    def put(
        self, message: object, reply: Answerable | None = None, deadline: float | None = None
    ) -> None:
        """Send a message. Raises as `Recipient.put`; TypeError for what is no `Message`."""
        if self.realm.forked:
            self.check_process()
        if not isinstance(message, Message):
            raise TypeError(
                f"{type(message).__name__} to {self.address}: only a Message leaves its process"
            )
        try:
            payload = encode_message(message)
        except TooBigForWire as error:
            raise MessageTooBig(self.address, PAYLOAD_LIMIT + 1, MESSAGE_LIMIT) from error
        if len(payload) + SMALL > MESSAGE_LIMIT and local_size(message) > MESSAGE_LIMIT:
            raise MessageTooBig(self.address, local_size(message), MESSAGE_LIMIT)
        line = self._office.line(self.address, self._node, ON_LOOP.dispatcher)
        left_ms = -1
        if deadline is not None:
            left_ms = _milliseconds(deadline - self.realm.scheduler.clock.monotonic())
        if reply is None:
            self._tell(line, message, left_ms, payload)
            return
        chain = chain_of(getattr(reply, "asker", None))
        if len(chain) > CHAIN_LIMIT:  # a circle is seen over there, where the handler is known
            raise ChainTooLong(self.address, len(chain))
        number = line.next_id()
        kind = type(message)
        request = type(message) if isinstance(message, Request) else None
        if left_ms < 0:
            tail = self._tails.get((kind, chain)) or self._tail(kind, chain)
        else:
            tail = tail_of(self._question(kind, chain)._replace(left_ms=left_ms))
        asked = Question(number, self.address, kind.__qualname__, reply, request)
        self._ask(line, asked, row_of(_ASK, number, tail, payload))

    def _tell(self, line: Line, message: Message, left_ms: int, payload: bytes) -> None:
        with self._lock:
            told = self._told + 1
            if told - self._confirmed > WINDOW:
                raise WouldBlock(self.address, WINDOW)
            large = len(payload) if len(payload) > LARGE_BYTES else 0
            if left_ms < 0 and told % CONFIRM and not large:
                head = self._heads.get(type(message)) or self._head(message)
                line.post(self.address, row_with(head, payload), (self.address, message))
                self._told = told
                return
            kind, number = Kind.TELL, 0
            mail: Told = (self.address, message)
            token: Token = mail
            if large:
                line.reserve(self.address, large)
            if large or not told % CONFIRM:
                kind, number = Kind.SEND, line.next_id()
                token = line.asked[number] = Confirmation(number, self, told, mail, line, large)
            row = pack_envelope(
                Envelope(
                    kind,
                    number,
                    self._path,
                    left_ms=left_ms,
                    tag=message.wire_tag,
                    version=message.wire_version,
                    payload=payload,
                )
            )
            try:
                line.post(self.address, row, token)
            except BaseException:
                line.asked.pop(number, None)
                if large:
                    line.unreserve(large)
                raise
            self._told = told

    def _head(self, message: Message) -> bytes:
        """What stands before the payload of every message of a class that is told."""
        tag, version = message.wire_tag, message.wire_version
        head = head_of(Envelope(Kind.TELL, 0, self._path, tag=tag, version=version))
        self._heads[type(message)] = head
        return head

    def _tail(self, kind: type[Message], chain: tuple[str, ...]) -> bytes:
        """What stands before the payload of every question of a class by the same askers."""
        if len(self._tails) >= TAILS:
            self._tails.clear()
        tail = self._tails[kind, chain] = tail_of(self._question(kind, chain))
        return tail

    def _question(self, kind: type[Message], chain: tuple[str, ...]) -> Envelope:
        tag, version = kind.wire_tag, kind.wire_version
        return Envelope(Kind.ASK, 1, self._path, chain=chain, tag=tag, version=version)

    def _ask(self, line: Line, asked: Asked, row: bytes) -> None:
        line.asked[asked.id] = asked
        if not asked.id % PRUNE:
            for number, each in tuple(line.asked.items()):
                if isinstance(each, Question) and each.given_up:
                    line.asked.pop(number, None)
        try:
            line.post(self.address, row, asked)
        except BaseException:
            line.asked.pop(asked.id, None)
            raise

    def _line(self) -> Line:
        return self._office.line(self.address, self._node, ON_LOOP.dispatcher)

    # -- room -------------------------------------------------------------------------------

    def confirm(self, upto: int) -> None:
        """Everything that was told up to this number is over there; any thread."""
        with self._lock:
            self._confirmed = max(self._confirmed, upto)
            waiters, self._waiters = self._waiters, {}
        for wake in waiters:
            wake()

    def when_room(self, message: object, wake: Callable[[], object]) -> None:
        """Call `wake` (any thread, once or twice) when to try again."""
        with self._lock:
            full = self._told - self._confirmed >= WINDOW
            if full:
                self._waiters[wake] = None
        if not full:
            self._line().when_room(wake)

    def forget_room(self, wake: Callable[[], object]) -> None:
        """Undo `when_room`."""
        with self._lock:
            self._waiters.pop(wake, None)
        self._line().forget_room(wake)

    # -- the actor --------------------------------------------------------------------------

    def tell_started(self, starter: Answerable) -> None:
        """Not offered: its parent starts it."""
        error = LocalOnly(self.address, "started()", hint="ask it something: an answer says it")
        starter.resolve(None, error)

    def end(self, reply: Answerable, *, drain: bool) -> None:
        """Stop it, if its node allows."""
        self.check_process()
        try:
            line = self._line()
            number = line.next_id()
            asked = Question(number, self.address, "a stop", reply, Stopped)
            payload = b"\x01" if drain else b""
            stop = Envelope(Kind.STOP, number, self._path, payload=payload)
            self._ask(line, asked, pack_envelope(stop))
        except KernelError as error:
            reply.resolve(None, error)

    def watched_by(self, watcher: Bonds) -> None:
        """Put exactly one `Down` into `watcher` when it is gone, or cannot be reached."""
        try:
            line = self._line()
            number = line.next_id()
            row = pack_envelope(Envelope(Kind.WATCH, number, self._path))
            self._ask(line, Watch(number, self.address, watcher), row)
        except KernelError as error:
            watcher.put_down(self.address, "unreachable", str(error))


def _milliseconds(seconds: float) -> int:
    """What is left as an envelope says it: nothing, if it is over, and never more than fits."""
    return int(min(max(seconds * 1000.0, 0.0), LEFT_MS))


def chain_of(asker: Holder | None) -> tuple[str, ...]:
    """Addresses of the actors that wait in an ask, the outermost first."""
    chain: list[str] = []
    while asker is not None:
        chain.append(asker.box.address)
        reply = asker.reply
        if type(reply) is RemoteReply:  # isinstance asks an abstract class at length
            return (*reply.chain, *reversed(chain))
        asker = getattr(reply, "asker", None)
    return tuple(reversed(chain))
