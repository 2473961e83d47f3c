"""The way in: envelopes of a peer become messages in mailboxes, and their answers go back.

Owned by the loop of its line's branch. A mailbox that is full does not hold up the others: its mail
is parked here, in order, until it has room. Who tells is slowed down by its own window
(`outward.py`), who asks is refused when 1,024 are parked; a peer that parks more than it may breaks
the rules, and its link ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from actors.kernel.cell import Cell
from actors.kernel.errors import (
    ActorDead,
    AskCycle,
    KernelError,
    MailboxFull,
    UnknownAddress,
)
from actors.kernel.future import Answering
from actors.kernel.logs import logger_for
from actors.kernel.messages import Down, DownReason
from actors.kernel.thread_inbox import ThreadInbox
from actors.kernel.waits import reaches
from actors.post.faults import error_of, info_of
from actors.post.parking import LARGE_BYTES, Mail, Parking
from actors.post.tails import Tail, Tails
from actors.post.tokens import Stopped
from transport.codec import (
    decode_error,
    decode_message,
    encode_error,
    encode_message,
    encode_reply,
    message_forms,
    pack_envelope,
    unpack_envelope,
    value_of,
)
from transport.envelope import Envelope, Kind
from transport.errors import RemoteProtocolError, TransportError
from transport.heads import opening_of, payload_behind, reply_payload, reply_row
from transport.message import Request
from transport.references import RESOLVER

if TYPE_CHECKING:
    from actors.post.line import Line

logger = logger_for(__name__)

_TELL, _ASK, _REPLY = int(Kind.TELL), int(Kind.ASK), int(Kind.REPLY)


class RemoteReply(Answering):
    """Where the answer to a peer's ask goes; any thread, once."""

    __slots__ = ("_done", "_era", "_line", "_number", "_request", "chain")

    def __init__(
        self,
        line: Line,
        number: int,
        request: type[Request[Any]] | None,  # Any: whatever it is answered with
        chain: tuple[str, ...] = (),
    ) -> None:
        self._line = line
        self._era = line.era
        self._number = number
        self._request = request
        self._done = False
        self.chain = chain

    def resolve(self, value: Any, error: BaseException | None) -> object:
        """Answer with a value or an error; only the first answer counts."""
        if self._done:
            return None
        self._done = True
        row = None
        if error is None:
            try:
                payload = b"" if self._request is None else encode_reply(self._request, value)
                if self._request is None and value is not None:
                    raise TypeError("its message is no Request, so its answer cannot leave")
                row = reply_row(self._number, payload)
            except (TransportError, TypeError, ValueError) as unfit:
                error = unfit
        if row is None:
            assert error is not None  # else there is a row
            row = _error_row(self._number, error)
        self._line.answer(row, self._era)
        return None


def _error_row(number: int, error: BaseException) -> bytes:
    payload = encode_error(info_of(error))
    return pack_envelope(Envelope(Kind.ERROR, number, "", payload=payload))


class Watcher:
    """Somebody over there watches an actor here."""

    __slots__ = ("_era", "_line", "_number")

    def __init__(self, line: Line, number: int) -> None:
        self._line = line
        self._era = line.era
        self._number = number

    def put_down(self, address: str, reason: DownReason, error: str | None) -> None:
        """Send the one `Down`; any thread."""
        down = Down(address=address, reason=reason, error=error)
        self._line.answer(
            pack_envelope(
                Envelope(
                    Kind.DOWN,
                    self._number,
                    "",
                    tag=down.wire_tag,
                    version=down.wire_version,
                    payload=encode_message(down),
                )
            ),
            self._era,
        )


class Inward:
    """What comes from one peer on one channel."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._realm = line.branch.office.realm
        self.parking = Parking(self._realm, line.branch.dispatcher, self._put)
        self._tails = Tails()

    def take(self, rows: tuple[bytes, ...]) -> None:
        """Hand over envelopes, in order.

        Raises:
            RemoteProtocolError, Violation: the peer broke a rule; those before were handed over.
        """
        index, known = 0, self._take_known
        before = RESOLVER.set(self._realm.resolve)
        try:
            while index < len(rows):
                taken = known(rows, index)
                if not taken:
                    self._take(rows[index])
                index += taken or 1
        finally:
            RESOLVER.reset(before)

    def _take(self, row: bytes) -> None:
        envelope = unpack_envelope(row)
        kind = envelope.kind
        if kind <= Kind.ASK:
            self._tails.know(row, envelope)
            self._mail(envelope)
        elif kind is Kind.WATCH:
            self._watch(envelope)
        elif kind is Kind.STOP:
            self._stop(envelope)
        else:
            self._answered(envelope)

    # -- messages ---------------------------------------------------------------------------

    def _take_known(self, rows: tuple[bytes, ...], index: int) -> int:
        """Take a row whose tail came before, or the answer to an ask.

        Returns:
            How many rows were taken: after a message that is told those that are alike, too; 0
            for the long way, which is also that of everything that is not as usual.
        """
        row = rows[index]
        opening = opening_of(row)
        if opening is None:
            return 0
        kind, number, start = opening
        if kind == _REPLY:
            payload = reply_payload(start, row)
            if payload is None or not number:
                return 0
            asked = self._line.asked.pop(number, None)
            if asked is not None:  # else it was given up
                try:
                    asked.replied(payload)
                except Exception as error:  # noqa: BLE001 - the asker is told, whatever it is
                    asked.failed(error)
            return 1
        known = self._tails.find(row, start)
        if known is None:
            return 0
        tail, end = known
        resident = self._realm.actors.get(tail.target)
        if not isinstance(resident, Cell) or tail.target in self.parking:
            return 0
        if kind == _TELL and not number and not tail.chain:
            return self._put_told(rows, index, end, tail, resident)
        if kind == _ASK and number:
            return self._put_asked(row, number, end, tail, resident)
        return 0

    def _put_told(
        self, rows: tuple[bytes, ...], index: int, end: int, tail: Tail, cell: Cell
    ) -> int:
        """Put messages into a mailbox as long as their rows begin alike; how many."""
        head, count = rows[index][:end], 0
        put, bump = cell.put, self._realm.counts.sent.bump
        try:
            forms = message_forms(tail.tag, tail.version)
            for at in range(index, len(rows)):
                row = rows[at]
                payload = payload_behind(end, row) if row.startswith(head) else None
                if payload is None:
                    break
                put(value_of(forms, payload))
                bump()
                count += 1
        except Exception:
            logger.debug("the long way for %s", tail.target, exc_info=True)
        return count

    def _put_asked(self, row: bytes, number: int, end: int, tail: Tail, cell: Cell) -> int:
        """Put a question into a mailbox; 1, or 0 for the long way."""
        payload = payload_behind(end, row)
        chain = tail.chain
        if payload is None or (chain and cell.keeper is not None):
            return 0
        try:
            message = decode_message(tail.tag, tail.version, payload)
            request = type(message) if isinstance(message, Request) else None
            cell.put(message, RemoteReply(self._line, number, request, chain))
        except Exception:  # noqa: BLE001 - the long way says what it is
            return 0
        self._realm.counts.sent.bump()
        return 1

    def _mail(self, envelope: Envelope) -> None:
        realm = self._realm
        realm.counts.sent.bump()
        address = realm.address(envelope.target)
        try:
            message = decode_message(envelope.tag, envelope.version, envelope.payload)
        except RemoteProtocolError as error:
            self._refuse(envelope, "undecodable", envelope.tag, error)
            return
        resident = realm.actors.get(envelope.target)
        if resident is None:
            self._refuse(
                envelope, "no_such_actor", message, UnknownAddress(address, "no such actor")
            )
            return
        reply = None
        if envelope.kind is Kind.ASK:
            request = type(message) if isinstance(message, Request) else None
            reply = RemoteReply(self._line, envelope.id, request, envelope.chain)
            path = self._circle(resident, envelope.chain, message)
            if path is not None:
                realm.counts.rejected.bump()
                reply.resolve(None, AskCycle(path))
                return
        deadline = None
        if envelope.left_ms >= 0:
            deadline = realm.scheduler.clock.monotonic() + envelope.left_ms / 1000
        confirm = None
        if envelope.kind is Kind.SEND:
            confirm = RemoteReply(self._line, envelope.id, None)
        size = len(envelope.payload)
        mail = Mail(message, reply, deadline, confirm, size if size > LARGE_BYTES else 0)
        if envelope.target in self.parking or not self._put(envelope.target, mail):
            self.parking.park(envelope.target, mail)

    def _put(self, target: str, mail: Mail) -> bool:
        """Put one message into its mailbox; False if that is full."""
        message, reply, deadline, confirm, _ = mail
        realm = self._realm
        resident = realm.actors.get(target)
        try:
            if isinstance(resident, Cell):
                resident.put(message, reply, deadline)
            elif isinstance(resident, ThreadInbox):
                resident.put(message, reply, 0.0)
            else:
                raise UnknownAddress(realm.address(target), "no such actor")
        except MailboxFull:
            return False
        except Exception as error:
            if reply is not None:
                realm.counts.rejected.bump()
                reply.resolve(None, error)
                return True
            if not isinstance(error, KernelError):
                logger.exception("%s takes no %s", target, type(message).__qualname__)
            known = isinstance(error, ActorDead | UnknownAddress)
            realm.dead(realm.address(target), "dead" if known else "poison", message)
        if confirm is not None:  # it is in the mailbox, or a dead letter
            confirm.resolve(None, None)
        return True

    def _circle(
        self, resident: object, chain: tuple[str, ...], message: object
    ) -> tuple[str, ...] | None:
        """The circle that an ask would close with the actors that wait for it elsewhere."""
        if not chain or not isinstance(resident, Cell | ThreadInbox) or resident.keeper is None:
            return None
        if resident.serves_aside(message):
            return None
        if resident.address in chain:
            return (*chain[chain.index(resident.address) :], resident.address)
        way = reaches(resident, chain)
        return None if way is None else (*chain[chain.index(way[-1]) :], *way)

    def _refuse(
        self, envelope: Envelope, reason: Any, message: object, error: BaseException
    ) -> None:
        """End a message that reaches nobody; `reason` is a DeadReason."""
        realm = self._realm
        asked = envelope.kind is Kind.ASK
        realm.dead(realm.address(envelope.target), reason, message, told=asked)
        if asked:
            self._line.answer(_error_row(envelope.id, error))
        elif envelope.id:
            self._line.answer(pack_envelope(Envelope(Kind.REPLY, envelope.id, "")))

    # -- answers, watches, stops ------------------------------------------------------------

    def _answered(self, envelope: Envelope) -> None:
        asked = self._line.asked.pop(envelope.id, None)
        if asked is None:
            return  # it was given up
        try:
            if envelope.kind is Kind.ERROR:
                asked.failed(error_of(decode_error(envelope.payload), asked.address))
            else:
                asked.answered(envelope)
        except Exception as error:  # noqa: BLE001 - the asker is told, whatever it is
            asked.failed(error)

    def _watch(self, envelope: Envelope) -> None:
        realm = self._realm
        resident = realm.actors.get(envelope.target)
        watcher = Watcher(self._line, envelope.id)
        if isinstance(resident, Cell | ThreadInbox):
            resident.watched_by(cast("Any", watcher))  # Any: it only takes the Down
        else:
            watcher.put_down(realm.address(envelope.target), "no_such_actor", None)

    def _stop(self, envelope: Envelope) -> None:
        realm = self._realm
        resident = realm.actors.get(envelope.target)
        reply = RemoteReply(self._line, envelope.id, Stopped)
        if resident is None:
            reply.resolve(False, None)
            return
        ref: Any = resident.ref  # Any: both kinds take `drain`
        ended = ref.stop(block=False, drain=envelope.payload == b"\x01")
        ended.when_done(lambda: reply.resolve(ended.get(timeout=0), None))
