"""The event forwarder: the one writer of the ledger. Ledger first, then show.

Events that arrive while a commit is under way go into the next one, so the number of commits
follows the disk and not the senders (group commit without a timer). An append is answered when
its commit is durable; an `Emit` is not answered, but what its sender appends later is durable
only after it, because the queue is one. If the ledger refuses an emitted event, the end of the
turn that emitted it is refused too: a turn is never done without what it said.

Runs on the system loop; the commit itself runs in the store's thread (`run_ordered`).
"""

from __future__ import annotations

import functools
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from actors.domain.errors import MobError, StoreError
from actors.domain.events import Emitted, InputDone
from actors.kernel.actor import Actor
from actors.kernel.errors import describe
from actors.kernel.handlers import handles
from actors.kernel.logs import logger_for
from actors.roles.messages import Append, AwaitHead, Emit, Flush, GetUnwritten

if TYPE_CHECKING:
    import asyncio

    from actors.domain.events import LedgerEvent
    from actors.kernel.future import Reply
    from actors.stores.ports import Ledger

logger = logger_for(__name__)

CROWDED: Final = 4_096  # events waiting for a commit; then their senders wait too
BATCH: Final = 2_048  # events of one commit, unless one append alone has more


@dataclass(frozen=True, slots=True)
class _Item:
    """Events that are committed together, and who waits for that."""

    events: tuple[LedgerEvent, ...]
    answer: Reply[int] | None


class Forwarder(Actor):
    """Owns the write side of the ledger and its head."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger
        self._head = ledger.head()
        self._queue: deque[_Item] = deque()
        self._unwritten = 0  # events
        self._commit: asyncio.Task[None] | None = None
        self._space: Reply[None] | None = None
        self._followers: list[tuple[int, Reply[int]]] = []
        self._unsaid: dict[str, Exception] = {}  # inputs whose turn emitted what was refused

    @handles(control=True)
    def get_unwritten(self, message: GetUnwritten) -> int:
        """Events taken and not yet durable."""
        return self._unwritten

    @handles(stepped=True)
    async def append(self, message: Append) -> int:
        """Queue the events, to be committed together; the answer comes when they are durable.

        With too many queued, senders wait in the mailbox, which has a bound.

        Raises:
            StoreError: the ledger refused; none of them was appended.
        """
        await self._room()
        return self._promise(message.events)

    @handles(stepped=True)
    async def emit(self, message: Emit) -> None:
        """Queue one event; with too many queued, the senders wait in the mailbox."""
        await self._room()
        self._put(_Item((message.event,), None))

    @handles
    def flush(self, message: Flush) -> int:
        """Answered with the head when all that came before was committed or refused."""
        return self._promise(())

    @handles
    def await_head(self, message: AwaitHead) -> int:
        """Answered when there is something after `after`, or when the time is up."""
        promise: Reply[int] = self.promise()
        if self._head > message.after:
            promise.set(self._head)
        else:
            self._followers.append((message.after, promise))
            self._cell.timers.after(message.wait_s, lambda: self._give_up(promise))
        return promise  # type: ignore[return-value]  # an answer that comes later

    async def on_stop(self) -> None:  # type: ignore[override]  # Pykka: a def
        """Commit what is left; nobody sends any more."""
        while self._commit is not None:
            await self._commit
        followers, self._followers = self._followers, []
        for _, promise in followers:
            promise.set(self._head)

    # -- inside -----------------------------------------------------------------------------

    async def _room(self) -> None:
        """Wait while too much is queued; the handler that waits holds the mailbox."""
        if self._unwritten > CROWDED:
            self._space = self.promise()
            await self._space

    def _promise(self, events: tuple[LedgerEvent, ...]) -> int:
        answer: Reply[int] = self.promise()
        self._put(_Item(events, answer))
        return answer  # type: ignore[return-value]  # an answer that comes later

    def _put(self, item: _Item) -> None:
        self._queue.append(item)
        self._unwritten += len(item.events)
        if self._commit is None:
            self._commit = self._cell.dispatcher.task(self._write(), f"{self.address} commit")

    async def _write(self) -> None:
        """Commit batch after batch until nothing is queued."""
        try:
            while self._queue:
                batch = self._next_batch()
                error = await self._try(batch)
                if error is not None and len(batch) == 1:
                    self._refuse(batch[0], error)
                elif error is not None:
                    # one of them may be at fault, and the others must not suffer for it
                    for item in batch:
                        error = self._unsaid_in(item) or await self._try([item])
                        if error is not None:
                            self._refuse(item, error)
                self._make_space()
        finally:
            self._commit = None

    def _next_batch(self) -> list[_Item]:
        batch: list[_Item] = []
        count = 0
        while self._queue and (not batch or count + len(self._queue[0].events) <= BATCH):
            item = self._queue.popleft()
            error = self._unsaid_in(item)
            if error is not None:
                self._refuse(item, error)
                continue
            batch.append(item)
            count += len(item.events)
        return batch

    async def _try(self, items: list[_Item]) -> Exception | None:
        """Commit all items in one transaction, answer and show them; or say why not."""
        scheduler = self.realm.scheduler
        events = [event for item in items for event in item.events]
        at_ms = scheduler.clock.wall_ms()
        write = functools.partial(self._ledger.append, events, at_ms=at_ms)
        try:
            self._head = head = await scheduler.run_ordered("ledger", write)
        except MobError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits must learn it
            problem = f"cannot hold the event: {type(error).__name__}: {describe(error)}"
            return StoreError(self._ledger.path or "the ledger in memory", problem)
        self._unwritten -= len(events)
        for item in items:
            if item.answer is not None:
                item.answer.set(head)
        followers, self._followers = self._followers, []
        for after, follower in followers:
            if head > after:
                follower.set(head)
            else:
                self._followers.append((after, follower))
        return None

    def _refuse(self, item: _Item, error: Exception) -> None:
        self._unwritten -= len(item.events)
        logger.error("the ledger refused %d events: %s", len(item.events), describe(error))
        if item.answer is not None:
            item.answer.fail(error)
            return
        for event in item.events:
            if isinstance(event, Emitted):
                self._unsaid[event.input_id] = error

    def _unsaid_in(self, item: _Item) -> Exception | None:
        """Why the end of a turn must be refused; once, since its next attempt says it again."""
        for event in item.events:
            if type(event) is InputDone and event.input_id in self._unsaid:
                return self._unsaid.pop(event.input_id)
        return None

    def _make_space(self) -> None:
        if self._space is not None and self._unwritten <= CROWDED // 2:
            space, self._space = self._space, None
            space.set(None)

    def _give_up(self, promise: Reply[int]) -> None:
        if not promise.done:
            self._followers = [item for item in self._followers if item[1] is not promise]
            promise.set(self._head)
