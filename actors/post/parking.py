"""Mail that came and finds its mailbox full: it is parked here, in order, and holds up nobody else.

Bounded twice, by the rules that a sender keeps (`outward.py`): per mailbox by the number of
messages, per peer by the bytes of the large ones. Who asks beyond that is refused; who tells beyond
that breaks the rules, and its link ends. What a peer parked outlives its session, for it was
acknowledged; a peer that starts again and again may still not fill this side's memory, so of ended
sessions only as much is kept as one may park.

Owned by the loop of its line's branch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from actors.kernel.cell import Cell
from actors.kernel.errors import MailboxFull
from actors.kernel.thread_inbox import ThreadInbox
from transport.events import ByeCode

if TYPE_CHECKING:
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.future import Answering
    from actors.kernel.realm import Realm
    from transport.message import Message

PARKED: Final = 1_024  # messages that one mailbox keeps waiting: asked, told, and of ended sessions
LARGE_BYTES: Final = 4_096  # a message of more counts with its bytes
PARKED_BYTES: Final = 16 * 1024 * 1024  # of the large ones, as above, for all mailboxes


class Violation(Exception):
    """The peer broke a rule; its link ends, and `code` tells it why."""

    def __init__(self, text: str, code: ByeCode = ByeCode.PROTOCOL) -> None:
        super().__init__(text)
        self.code = code


class Mail(NamedTuple):
    """A message that came.

    Attributes:
        reply: Who waits for its answer.
        deadline: Until when it is worth handling.
        confirm: Who wants to know that it is in the mailbox.
        large: Its bytes, 0 for a small one.
    """

    message: Message
    reply: Answering | None
    deadline: float | None
    confirm: Answering | None
    large: int


class _Lot:
    """Mail for one mailbox, oldest first."""

    __slots__ = ("asked", "mail", "told", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.mail: deque[tuple[int, Mail]] = deque()  # with the number of its session
        self.asked = 0  # of this session
        self.told = 0  # of this session
        self.wake = wake


class Parking:
    """What one peer has parked on one channel.

    Args:
        put: Puts one message into the mailbox of a target; False if that is full.
    """

    def __init__(
        self, realm: Realm, dispatcher: Dispatcher, put: Callable[[str, Mail], bool]
    ) -> None:
        self._realm = realm
        self._dispatcher = dispatcher
        self._put = put
        self._lots: dict[str, _Lot] = {}
        self._session = 0
        self._asked_bytes = 0  # of this session
        self._told_bytes = 0  # of this session

    def __contains__(self, target: str) -> bool:
        """Whether mail for a target waits; more must wait behind it."""
        return target in self._lots

    def __len__(self) -> int:
        """Messages that wait for room in a mailbox."""
        return sum(len(lot.mail) for lot in tuple(self._lots.values()))

    def park(self, target: str, mail: Mail) -> None:
        """Keep a message until its mailbox has room.

        Raises:
            Violation: more was told than may be; the message is a dead letter.
        """
        lot = self._lots.get(target)
        if mail.reply is not None:
            waiting = 0 if lot is None else lot.asked
            if waiting >= PARKED or self._asked_bytes + mail.large > PARKED_BYTES:
                self._refuse(target, mail)
                return
        else:
            waiting = 0 if lot is None else lot.told
            if waiting >= 2 * PARKED or self._told_bytes + mail.large > PARKED_BYTES:
                self._refuse(target, mail)
                raise Violation(f"more was told to {target!r}, which is full, than may wait")
        new = lot is None
        if lot is None:
            lot = self._lots[target] = _Lot(
                lambda: self._dispatcher.call(lambda: self._unpark(target))
            )
        lot.mail.append((self._session, mail))
        self._count(lot, mail, 1)
        if new:
            self._await_room(target, lot)

    def session_lost(self) -> None:
        """The session ended; the next one may park anew."""
        self._session += 1
        self._asked_bytes = self._told_bytes = 0
        large = sum(mail.large for lot in self._lots.values() for _, mail in lot.mail)
        for target, lot in self._lots.items():
            lot.asked = lot.told = 0
            # One stays, since somebody waits for room for it.
            while len(lot.mail) > PARKED or (large > PARKED_BYTES and len(lot.mail) > 1):
                _, mail = lot.mail.popleft()
                large -= mail.large
                self._refuse(target, mail)

    def _refuse(self, target: str, mail: Mail) -> None:
        """End a message for which there is no place."""
        address = self._realm.address(target)
        if mail.reply is None:
            self._realm.dead(address, "full", mail.message)
        else:
            self._realm.counts.rejected.bump()
            mail.reply.resolve(None, MailboxFull(address, "USER", PARKED))

    def _count(self, lot: _Lot, mail: Mail, one: int) -> None:
        """Count a message of this session in or out."""
        if mail.reply is not None:
            lot.asked += one
            self._asked_bytes += one * mail.large
        else:
            lot.told += one
            self._told_bytes += one * mail.large

    def _await_room(self, target: str, lot: _Lot) -> None:
        resident = self._realm.actors.get(target)
        if isinstance(resident, Cell | ThreadInbox):
            resident.when_room(lot.mail[0][1].message, lot.wake)
        else:  # it has ended: what waits ends, too
            lot.wake()

    def _unpark(self, target: str) -> None:
        lot = self._lots.get(target)
        if lot is None:
            return
        while lot.mail and self._put(target, lot.mail[0][1]):
            session, mail = lot.mail.popleft()
            if session == self._session:
                self._count(lot, mail, -1)
        if lot.mail:
            self._await_room(target, lot)
        else:
            del self._lots[target]
