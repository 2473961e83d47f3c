"""What the ledger of a mob says to its users: while it runs, and after its end."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from actors.answers import Blocking, answer, at_once
from actors.domain.errors import Draining, StoreError, TurnFailed, did_you_mean
from actors.domain.events import EVENT_TYPES, InputDone, InputFailed, TurnStarted
from actors.domain.inbox import TurnInput
from actors.domain.reports import AuditReport, DeadLetterView, TurnResult
from actors.kernel.errors import ActorDead, AskTimeout, MailboxFull
from actors.kernel.logs import logger_for
from actors.roles.messages import AwaitHead

if TYPE_CHECKING:
    from actors.answers import Waiting
    from actors.domain.events import Entry
    from actors.kernel.counters import Audit
    from actors.kernel.letters import DeadLetter
    from actors.kernel.ref import ActorRef
    from actors.roles.forwarder import Forwarder
    from actors.stores import Ledger

logger = logger_for(__name__)

FOLLOW_S: Final = 0.5  # how long one look of a follower waits for something new
MARGIN_S: Final = 1.0  # for its answer to come
PAGE: Final = 500
TAIL: Final = 500  # entries that can be read after the end


class History:
    """Reads a ledger; any thread. After `close` its last entries can still be read."""

    def __init__(self, ledger: Ledger, forwarder: ActorRef[Forwarder]) -> None:
        self._ledger = ledger
        self._forwarder = forwarder
        self._tail: tuple[Entry, ...] = ()
        self._closed = threading.Event()

    @property
    def cursor(self) -> int:
        """The last entry, 0 for an empty ledger."""
        if not self._closed.is_set():
            return self._ledger.head()
        return self._tail[-1].cursor if self._tail else 0

    def reader(self, after: int | None, *, follow: bool, filters: Mapping[str, str]) -> Reader:
        """As `Mob.events`; where it begins is settled by this call, not by the first entry."""
        check_filters(filters)
        self._forwarder.actor_inbox.check_process()
        begin = self.cursor if follow else 0
        return Reader(self, begin if after is None else after, follow=follow, filters=filters)

    def result(self, member: str, input_id: str) -> TurnResult | None:
        """The result of an input that was finished long ago; None if it was not, or is unknown.

        Reads the whole ledger, in the calling thread.

        Raises:
            TurnFailed: it was given up.
        """
        attempts = 0
        filters = {"identity": member, "input_id": input_id}
        for entry in each(self.reader(0, follow=False, filters=filters)):
            match entry.event:
                case TurnStarted(attempt=attempts):
                    continue
                case InputDone(output=output):
                    return TurnResult(
                        input_id=input_id, member=member, output=output, attempts=max(attempts, 1)
                    )
                case InputFailed(quarantined=True, error_type=kind, error_text=text):
                    raise TurnFailed(member, input_id, kind, text, attempts)
                case _:
                    continue
        return None

    def close(self) -> None:
        """Keep the last entries and close the ledger."""
        try:
            self._tail = self._ledger.read(max(self._ledger.head() - TAIL, 0), TAIL)
        except StoreError as error:
            logger.error("the last entries cannot be read: %s", error)
        self._closed.set()
        self._ledger.close()

    @property
    def closed(self) -> bool:
        """Whether there will be no more entries."""
        return self._closed.is_set()

    def page(self, cursor: int) -> tuple[Entry, ...]:
        """The next entries behind `cursor`; none at the end. Reads the disk."""
        if not self._closed.is_set():
            try:
                return self._ledger.read(cursor, PAGE)
            except StoreError:
                if not self._closed.is_set():
                    raise  # it was not closed while we read
        if self._tail and cursor < self._tail[0].cursor - 1:
            raise Draining("reading old events")
        return tuple(entry for entry in self._tail if entry.cursor > cursor)

    async def await_more(self, cursor: int, waiting: Waiting) -> None:
        """Wait until there may be an entry behind `cursor`, or the end; reads no disk."""
        look = AwaitHead(after=cursor, wait_s=FOLLOW_S)
        head = cursor
        try:
            while head <= cursor and not self.closed:
                head = await answer(waiting, self._forwarder, look, FOLLOW_S + MARGIN_S)
        except AskTimeout:  # it is busy with a commit: nothing new
            return
        except (ActorDead, MailboxFull):  # the mob is ending, or there is something new soon
            await waiting.work(lambda: self._closed.wait(FOLLOW_S))


class Reader:
    """A place in a ledger, and what is looked for from there on; for one caller."""

    def __init__(
        self, history: History, cursor: int, *, follow: bool, filters: Mapping[str, str]
    ) -> None:
        self._history = history
        self._cursor = cursor
        self._follow = follow
        self._filters = filters

    async def page(self, waiting: Waiting) -> tuple[Entry, ...] | None:
        """The next entries that pass the filters, perhaps none; None when that was all."""
        ended = self._history.closed
        page = await waiting.work(lambda: self._history.page(self._cursor))
        if page:
            self._cursor = page[-1].cursor
            return tuple(entry for entry in page if self._passes(entry))
        if ended or not self._follow:
            return None
        await self._history.await_more(self._cursor, waiting)
        return ()

    def _passes(self, entry: Entry) -> bool:
        return all(getattr(entry.event, key, None) == value for key, value in self._filters.items())


def each(reader: Reader) -> Iterator[Entry]:
    """What a reader finds, one by one; blocks."""
    waiting = Blocking()
    while (page := at_once(reader.page(waiting))) is not None:
        yield from page


def check_filters(names: Iterable[str]) -> None:
    """Refuse names that no event has as a field. Raises TypeError."""
    known = sorted({field for kind in EVENT_TYPES.values() for field in kind.model_fields})
    for name in names:
        if name not in known:
            near = did_you_mean(name, known)
            raise TypeError(f"no event has a field {name!r}{near}; fields are: {', '.join(known)}")


def audit_report(audit: Audit) -> AuditReport:
    """An audit as its users see it: a failed handler has handled its message."""
    return AuditReport(
        sent=audit.sent,
        handled=audit.handled + audit.failed,
        rejected=audit.rejected,
        coalesced=audit.coalesced,
        dead_lettered=audit.dead_lettered,
        ambiguous=audit.ambiguous,
        in_flight=audit.in_flight,
    )


def letter_view(letter: DeadLetter) -> DeadLetterView:
    """A dead letter as its users see it."""
    path = letter.address.partition("://")[2].partition("/")[2]
    sender = getattr(letter.message, "sender", None)
    given = letter.message
    return DeadLetterView(
        target=path.rpartition("/")[2] or letter.address,
        sender=sender if isinstance(sender, str) else None,
        reason=letter.reason,
        message=given.input_id if isinstance(given, TurnInput) else letter.message_type,
    )
