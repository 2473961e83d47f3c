"""A line: one peer on one channel. What waits to leave, what was asked, what the link says.

Owned by the branch's loop, except `post` and the numbers, which any thread may use. Many threads
append, one loop takes; the rule is that of the mailboxes: append first, then look whether the loop
knows already; the loop clears its mark first, then looks what there is. And like a mailbox a line
is served from the dispatcher's ready queue, so what the actors of one drain said leaves as one
batch at its end, without another turn of the loop.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from actors.kernel.errors import Ambiguous, WouldBlock
from actors.kernel.logs import logger_for
from actors.post.inward import Inward
from actors.post.parking import LARGE_BYTES, PARKED_BYTES
from actors.post.tokens import Watch, keep_back, lose
from transport.codec import pack_parcel
from transport.errors import WouldBlock as NoCredit
from transport.events import (
    ByeCode,
    Delivery,
    Event,
    Gone,
    Hangup,
    LoopFreed,
    LoopHeld,
    LossCause,
    Ready,
    Room,
    SessionLost,
    Suspected,
    Trusted,
)
from transport.link import Link
from transport.session import Session
from transport.states import LinkState

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from actors.post.branch import Branch
    from actors.post.tokens import Asked, Token
    from transport.endpoint import Connection
    from transport.parcels import Hello, Parcel

logger = logger_for(__name__)

OUTBOX: Final = 1_024  # envelopes of other threads, beyond what the session takes
WINDOW: Final = 1_024  # told messages that are not in the actor's mailbox yet
OUTBOX_BYTES: Final = 16 * 1024 * 1024  # of those above 4 KiB; the others come to 4 MiB at most
ANSWER_BYTES: Final = 64 * 1024 * 1024  # of answers that wait; a peer takes them or is cut
ROW_BYTES: Final = 1024 * 1024  # no envelope is larger
EAGER: Final = 256  # envelopes that leave at once, so that the peer works meanwhile


class Line:
    """Everything between this node and one other on one channel."""

    def __init__(self, branch: Branch, node: str | None) -> None:
        self.branch = branch
        self.node = node or ""  # "" until the peer has said it
        self.state = "connecting"  # for people
        self.addresses: frozenset[str] = frozenset()  # where the peer listens, as it says
        self.session: Session[Token] = Session()
        self.link: Link[Token] = Link(branch.local, self.session, peer=node)
        self.connection: Connection | None = None
        self.inward = Inward(self)
        self.asked: dict[int, Asked] = {}  # what this side wants an answer to, by number
        self.next_id = itertools.count(1).__next__
        self.peer_progress = 0
        self.era = 0  # sessions that ended; an answer belongs to the one of its question
        self._outbox: deque[tuple[bytes, Token]] = deque()
        self._lock = threading.Lock()  # leaf; guards the next three
        self._large_bytes = 0  # in the outbox
        self._told_bytes = 0  # of large messages that are not in their mailboxes yet; as above
        self._answer_bytes = 0  # that wait
        self._fresh = 0  # what the session took from this loop since the last `flush`
        # By era. Their number has no bound: who asked waits for them.
        self._answers: deque[tuple[int, bytes]] = deque()
        self._waiters: dict[Callable[[], object], None] = {}  # for room, in their order
        self.scheduled = False  # the loop knows that there is something to take
        self._blocked = False  # by the session, until it says `Room`
        self._timer: TimerHandle | None = None

    # -- any thread -------------------------------------------------------------------------

    def post(self, address: str, row: bytes, token: Token) -> None:
        """Have an envelope sent.

        Raises:
            WouldBlock: too much waits already.
        """
        waiting, size = len(self._outbox), len(row)
        if not waiting and not self._blocked and self.branch.dispatcher.here():
            try:
                self.session.offer(row, token)
            except NoCredit:
                self._blocked = True
            else:
                if token is not None and not isinstance(token, tuple):
                    token.offered = True
                self._fresh += 1
                if not self.scheduled:
                    self.kick()
                elif self._fresh >= EAGER:
                    self.flush()
                return
        if waiting >= OUTBOX:
            raise WouldBlock(address, OUTBOX)
        if size > LARGE_BYTES:
            with self._lock:
                if self._large_bytes + size > OUTBOX_BYTES:
                    raise WouldBlock(address, waiting)
                self._large_bytes += size
        self._outbox.append((row, token))
        self.kick()

    def answer(self, row: bytes, era: int | None = None) -> None:
        """Have an answer sent; dropped when its session has ended, for its asker knows then.

        Another process of that node gives the same numbers to other questions.

        Args:
            row: The packed envelope.
            era: `era` when the question came; None: now, on the loop.
        """
        self._answers.append((self.era if era is None else era, row))
        with self._lock:
            self._answer_bytes += len(row)
            flooded = self._answer_bytes > ANSWER_BYTES
        if flooded:  # it asks, and does not take its answers
            self.branch.dispatcher.call(partial(self.branch.flooded, self))
        self.kick()

    def reserve(self, address: str, size: int) -> None:
        """Count a large message that is told, until it is in its mailbox.

        Raises:
            WouldBlock: too many bytes are on their way.
        """
        with self._lock:
            if self._told_bytes + size > PARKED_BYTES:
                raise WouldBlock(address, WINDOW)
            self._told_bytes += size

    def unreserve(self, size: int) -> None:
        """Undo `reserve` at once: the message is not told."""
        with self._lock:
            self._told_bytes -= size

    def release(self, size: int) -> None:
        """A large message is in its mailbox, or lost; on the loop."""
        self.unreserve(size)
        for wake in tuple(self._waiters):
            wake()

    def when_room(self, wake: Callable[[], object]) -> None:
        """Call `wake` when `post` may succeed again."""
        self._waiters[wake] = None
        if len(self._outbox) < OUTBOX and self._roomy(ROW_BYTES):
            wake()

    def _roomy(self, size: int) -> bool:
        """Whether there is room for as many bytes of large messages."""
        return self._large_bytes + size <= OUTBOX_BYTES and self._told_bytes + size <= PARKED_BYTES

    def forget_room(self, wake: Callable[[], object]) -> None:
        """Undo `when_room`."""
        self._waiters.pop(wake, None)

    def kick(self) -> None:
        """Have it served soon."""
        if not self.scheduled:
            # It is served as a mailbox is, and has what the dispatcher uses of one.
            self.branch.dispatcher.schedule(self)  # type: ignore[arg-type]

    @property
    def address(self) -> str:
        """What the dispatcher calls it in logs."""
        return f"the line to {self.node}"

    # -- the loop ---------------------------------------------------------------------------

    def run(self, _limit: int) -> int:
        """Serve it; no message is handled."""
        self.flush()
        return 0

    def flush(self) -> None:
        """Give the session what waits, as far as it has credit, and send."""
        self.scheduled = False
        self._fresh = 0
        offer = self.session.offer
        answers, outbox = self._answers, self._outbox
        try:
            while answers:
                era, row = answers[0]
                if era == self.era:
                    offer(row, None)
                answers.popleft()
                with self._lock:
                    self._answer_bytes -= len(row)
            while outbox:
                row, token = outbox[0]
                offer(row, token)
                outbox.popleft()
                if len(row) > LARGE_BYTES:
                    self._freed(row)
                if token is not None and not isinstance(token, tuple):
                    token.offered = True
        except NoCredit:
            self._blocked = True  # `Room` comes
        if self._waiters and 2 * len(outbox) <= OUTBOX and self._roomy(OUTBOX_BYTES // 2):
            for wake in tuple(self._waiters):
                if self._waiters.pop(wake, wake) is None:
                    wake()
        if self._timer is None:
            self.turn()
            return
        # Nothing happened but that there is something to send, and a batch says what an Ack would:
        # no deadline comes earlier by it.
        parcels = self.link.parcels(self.branch.loop.time())
        if parcels:
            self._send(parcels)
        else:
            self.turn()

    def _freed(self, row: bytes) -> None:
        """A large row is out of the outbox."""
        with self._lock:
            self._large_bytes -= len(row)

    def dialled(self, connection: Connection) -> None:
        """This side made a connection."""
        self._renew()
        self.connection = connection
        fresh = secrets.token_bytes(16)
        self.link.dialled(connection, self.branch.now(), key=connection.key, fresh=fresh)
        self.turn()

    def accepted(self, connection: Connection, parcel: Parcel) -> None:
        """The peer made one; `parcel` came first on it."""
        self._renew()
        self.link.accepted(connection, parcel, self.branch.now(), key=connection.key)
        self.turn()

    def receive(self, connection: Connection, parcel: Parcel) -> None:
        """Another parcel came."""
        link = self.link
        link.receive(connection, parcel, self.branch.loop.time())
        hangups = self._hear(link.events())
        if hangups is None:
            # What was handled is answered in this drain: `flush`, at its end, does the rest once.
            self.kick()
        else:
            self._finish([], hangups)

    def is_held_by_another(self, hello: Hello) -> bool:
        """Whether a living connection belongs to another process than the one that greets."""
        connection = self.connection
        return connection is not None and connection.open and self.session.restarted(hello)

    def closed(self, connection: Connection) -> None:
        """A connection has ended."""
        if self.link.state is not LinkState.GONE:
            self.link.closed(connection, self.branch.now())
        self.turn()

    def close(self, text: str, code: ByeCode = ByeCode.CLOSING) -> None:
        """End the link."""
        if self.link.state is not LinkState.GONE:
            self.link.close(text, code)
        self.turn()

    def _renew(self) -> None:
        if self.link.state is LinkState.GONE:
            self.link = Link(self.branch.local, self.session, peer=self.node or None)

    def turn(self) -> None:
        """Act on what happened and send what is to be sent."""
        self._finish([], self._hear(self.link.events()))

    def _hear(self, events: list[Event[Token]]) -> list[object] | None:
        """Act on what happened.

        Returns:
            The connections to close; None when there was nothing but mail.
        """
        hangups: list[object] | None = None
        for event in events:
            if type(event) is Delivery:
                self.inward.take(event.rows)
                self.session.handed_over(event.number)
                continue
            hangups = hangups or []
            if isinstance(event, Hangup):
                hangups.append(event.connection)
            else:
                self._act(event)
        return hangups

    def _finish(
        self, parcels: list[tuple[object, Parcel]], hangups: Iterable[object] | None
    ) -> None:
        """Send what is to be sent, then close what is to be closed."""
        branch, link = self.branch, self.link
        now = branch.now()
        self._send(parcels)
        self._send(link.parcels(now))
        for connection in hangups or ():
            branch.hung_up(self, connection)  # type: ignore[arg-type]  # ours
        self._set_timer(now)

    def _send(self, parcels: list[tuple[object, Parcel]]) -> None:
        send = self.branch.endpoint.send
        for connection, parcel in parcels:
            send(connection, pack_parcel(parcel))  # type: ignore[arg-type]  # a connection of ours

    def _set_timer(self, now: float) -> None:
        due = self.link.next_deadline(now)
        timer = self._timer
        if timer is not None:
            if due is not None and timer.when() <= due + 0.001:
                return  # it comes early enough, and asks again
            timer.cancel()
        self._timer = None if due is None else self.branch.loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        progress, busy = self.branch.progress()
        parcels, events = self.link.tick(self.branch.now(), progress=progress, busy=busy)
        self._finish(parcels, self._hear(events))

    def _act(self, event: object) -> None:
        match event:
            case Ready():
                self.node = event.hello.node
                self.addresses = frozenset(address for _, address in event.hello.endpoints)
                self.state = "ready"
                self.branch.ready(self, event)
            case Room():
                self._blocked = False
                self.kick()
            case Suspected():
                self.state = "suspect"
            case Trusted():
                self.state = "ready"
            case SessionLost():
                self._lost(event)
            case LoopHeld():
                self.state = "held"
                logger.warning("node %s lives, but its member loop is held", self.node)
            case LoopFreed():
                self.state = "ready"
            case Gone():
                self.state = "gone"
                self.gone(event.text or event.code)
                self.branch.gone(self, event)
            case _:
                raise AssertionError(event)

    def _lost(self, event: SessionLost[Token]) -> None:
        """The session died: whose envelopes may have arrived, or not, is told so."""
        self.era += 1
        self._drop_answers()
        self.inward.parking.session_lost()
        self._blocked = False
        why = f"the session with node {self.node} ended ({event.cause.value})"
        left = len(event.tokens) - event.unsent
        for token in event.tokens[:left]:
            lose(token, self, why)
        unsent = zip(event.rows, event.tokens[left:], strict=True)
        if event.cause is LossCause.ENDED:
            for _, token in unsent:
                keep_back(token, self, why)
        else:
            self._carry_over(tuple(unsent), why)
        self.gone(why)

    def _carry_over(self, unsent: tuple[tuple[bytes, Token], ...], why: str) -> None:
        """Another session begins at once: what surely did not arrive leaves in that one."""
        for row, token in reversed(unsent):
            if token is None or isinstance(token, Watch):  # an answer, or it ends now
                keep_back(token, self, why)
                continue
            if not isinstance(token, tuple):
                token.offered = False
            if len(row) > LARGE_BYTES:
                with self._lock:
                    self._large_bytes += len(row)
            self._outbox.appendleft((row, token))
        self.kick()

    def gone(self, why: str) -> None:
        """Nobody answers any more what was asked; what still waits was never sent.

        Questions that wait are sent in the next session. A watch ends now: its actor cannot be
        reached.
        """
        for number, each in tuple(self.asked.items()):
            if each.offered or isinstance(each, Watch):
                self._unanswered(number, why)

    def _drop_answers(self) -> None:
        while self._answers:
            _, row = self._answers.popleft()
            with self._lock:
                self._answer_bytes -= len(row)

    def _unanswered(self, number: int, why: str) -> None:
        each = self.asked.pop(number, None)
        if each is not None:
            each.failed(Ambiguous(each.address, each.what, why))

    def abandon(self, why: str) -> None:
        """The office closes: what waits will never leave."""
        while self._outbox:
            row, token = self._outbox.popleft()
            if len(row) > LARGE_BYTES:
                self._freed(row)
            keep_back(token, self, why)
        self._drop_answers()
        for number in tuple(self.asked):
            self._unanswered(number, why)
        if self._timer is not None:
            self._timer.cancel()
        for wake in tuple(self._waiters):
            wake()
