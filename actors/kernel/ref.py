"""Refs: the only way to an actor. Cheap values; two refs of one actor are equal.

Pykka's names stay Pykka's (`tell`, `ask`, `stop`, `is_alive`, `proxy`); `request` and `send`
are their twins for code that runs on a loop.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeVar, cast, overload

import pykka

from actors.kernel.current import HOLDER, ON_LOOP
from actors.kernel.errors import (
    KernelError,
    LocalOnly,
    MailboxFull,
    WouldDeadlock,
)
from actors.kernel.future import Reply, ThreadReply
from actors.kernel.waiting import put_when_room, put_with_room, within
from actors.kernel.waits import Holder, note
from transport.message import Reference, Request

if TYPE_CHECKING:
    from actors.kernel.cell import Cell
    from actors.kernel.ports import Recipient

A = TypeVar("A", bound=pykka.Actor)
R = TypeVar("R")

ASK_TIMEOUT_S: Final = 30.0
DEFAULT: Final = float("nan")  # the caller named no timeout; compared by identity


class Sent:
    """An awaitable that has nothing left to wait for."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        return _NOTHING


SENT: Final = Sent()
# Exhausted, for ever: awaiting it goes on at once. What asyncio asks of it, an iterator does.
_NOTHING: Final = cast("Generator[None, None, None]", iter(()))


class Stopped:
    """What `ActorRef.actor_stopped` shows of Pykka's event: whether the actor has ended."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Recipient) -> None:
        self._cell = cell

    def is_set(self) -> bool:
        """Whether the actor takes no more messages."""
        return self._cell.sealed


class ActorRef(pykka.ActorRef[A], Reference):
    """A reference to an actor: passed around, kept, compared, and sent as a field of messages."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Recipient) -> None:  # Pykka's takes the actor; ours outlives it
        self._cell = cell

    # -- identity ---------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """`mob://system/path`."""
        return self._cell.address

    @property
    def actor_urn(self) -> str:  # type: ignore[override]  # Pykka stores what we compute
        """Pykka's name for the address."""
        return self._cell.address

    @property
    def actor_class(self) -> type[A]:  # type: ignore[override]  # as above
        """The class of the actor."""
        return cast("type[A]", self._cell.kind)

    @property
    def actor_inbox(self) -> Cell:  # type: ignore[override]  # as above
        """The mailbox; of an actor on another node, the way to it."""
        return cast("Cell", self._cell)

    @property
    def actor_stopped(self) -> Stopped:  # type: ignore[override]  # as above
        """Whether the actor takes no more messages."""
        return Stopped(self._cell)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorRef) and other._cell is self._cell

    def __hash__(self) -> int:
        return hash(self._cell)

    def __str__(self) -> str:
        return f"{self.actor_class.__name__} ({self.address})"

    def __repr__(self) -> str:
        return f"<ActorRef {self.address}>"

    def is_alive(self) -> bool:
        """Whether it takes messages; also true while it waits to be started again."""
        return not self._cell.sealed

    # -- from anywhere ----------------------------------------------------------------------

    def tell(
        self, message: object, *, timeout: float | None = None, expires: float | None = None
    ) -> None:
        """Send a message and wait for nothing.

        Args:
            timeout: Seconds to wait for room when the mailbox is full (threads only;
                None: do not wait).
            expires: Seconds after which the message is not worth handling any more.

        Raises:
            ActorDead: it has stopped.
            MailboxFull: no room (in time); the message was not queued.
            MessageTooBig: above 1,040,384 bytes (1 MiB less 8 KiB).
            WouldDeadlock: `timeout` on one of the loops, and there is no room.
        """
        cell = self._cell
        cell.bump()
        try:
            cell.put(message, None, None if expires is None else self._at(expires))
        except MailboxFull:
            if timeout is None:
                cell.refused()
                raise
            self._wait_and_put(message, timeout, expires)
        except BaseException:
            cell.refused()
            raise

    @overload  # type: ignore[override]  # Pykka's, with the typed requests first
    def ask(
        self,
        message: Request[R],
        *,
        block: Literal[True] = True,
        timeout: float | None = DEFAULT,
        expires: float | None = None,
    ) -> R: ...
    @overload
    def ask(
        self,
        message: Request[R],
        *,
        block: Literal[False],
        timeout: float | None = DEFAULT,
        expires: float | None = None,
    ) -> ThreadReply[R]: ...
    @overload
    def ask(
        self,
        message: object,
        *,
        block: bool = True,
        timeout: float | None = DEFAULT,
        expires: float | None = None,
    ) -> Any: ...  # Any: untyped messages are answered with anything, Pykka's contract
    def ask(
        self,
        message: object,
        *,
        block: bool = True,
        timeout: float | None = DEFAULT,
        expires: float | None = None,
    ) -> Any:
        """Send a message and wait for the answer; for threads outside the loops.

        Args:
            block: False returns a future at once.
            timeout: Seconds to wait; 30 by default, None for ever.
            expires: Seconds after which the message is not worth handling any more.

        Raises:
            AskTimeout: (a pykka.Timeout) no answer in time.
            ActorDead: it has stopped, or stopped before it handled the message.
            ActorFailed: its handler failed.
            WouldDeadlock: called on one of the loops; nothing was sent.
            AskCycle: the actor waits for the thread actor that asks; nothing was sent.
            Exception: a declared error of the handler.
        """
        cell = self._cell
        if block and ON_LOOP.dispatcher is not None:
            raise WouldDeadlock(f"ask of {cell.address}")
        reply: ThreadReply[Any] = ThreadReply(cell.realm.scheduler, cell.address)
        reply.target, reply.asked = cell, message
        holder = HOLDER.get() if block else None
        self._put_ask(message, reply, expires, holder)
        if not block:
            return reply
        if cell.dispatcher.patient:
            timeout = None
        return reply.get(timeout=ASK_TIMEOUT_S if timeout is DEFAULT else timeout)

    def stop(self, *, block: bool = True, timeout: float | None = None, drain: bool = False) -> Any:
        """Stop the actor, its children first.

        Args:
            block: False returns a future at once.
            timeout: Seconds to wait; None for ever.
            drain: Handle what is queued first (Pykka's order); otherwise what is queued
                becomes dead letters with reason `shutdown`.

        Returns:
            True if it lived when asked, False if it had ended already.

        Raises:
            AskTimeout: (a pykka.Timeout) it has not ended in time; it goes on stopping.
            WouldDeadlock: a blocking call on one of the loops.
        """
        cell = self._cell
        if block and ON_LOOP.dispatcher is not None:
            raise WouldDeadlock(f"waiting for the end of {cell.address}")
        reply: ThreadReply[bool] = ThreadReply(cell.realm.scheduler, cell.address)
        cell.end(reply, drain=drain)
        return reply.get(timeout=timeout) if block else reply

    def proxy(self) -> NoReturn:
        """Not offered: a proxy message names any attribute. Raises LocalOnly."""
        raise LocalOnly(self.address, "proxy()", hint="send messages, or make it a ThreadActor")

    # -- on a loop --------------------------------------------------------------------------

    @overload
    def request(
        self, message: Request[R], *, timeout: float | None = ..., expires: float | None = ...
    ) -> Awaitable[R]: ...
    @overload
    def request(
        self, message: object, *, timeout: float | None = ..., expires: float | None = ...
    ) -> Awaitable[Any]: ...  # Any: as in `ask`
    def request(
        self,
        message: object,
        *,
        timeout: float | None = ASK_TIMEOUT_S,
        expires: float | None = None,
    ) -> Awaitable[Any]:
        """Send a message now; await the result for the answer.

        Raises what `ask` raises; AskCycle when the actor waits for the one that asks.
        """
        home = ON_LOOP.dispatcher
        cell = self._cell
        if home is None:
            answer: ThreadReply[Any] = ThreadReply(cell.realm.scheduler, cell.address)
            self._put_ask(message, answer, expires)
            return within(answer, timeout)
        reply: Reply[Any] = Reply(home, cell.address)
        self._put_ask(message, reply, expires, home.stepping or HOLDER.get())
        if timeout is not None and not reply.done:
            home.expect(reply, timeout)
        return reply

    def send(
        self, message: object, *, timeout: float = ASK_TIMEOUT_S, expires: float | None = None
    ) -> Awaitable[None]:
        """As `tell`, but the result waits up to `timeout` seconds for room: await it.

        Raises what `tell` raises; where there is room it is sent already, which costs no coroutine.
        """
        cell = self._cell
        at = None if expires is None else self._at(expires)
        cell.bump()
        try:
            cell.put(message, None, at)
        except MailboxFull:
            return self._send_later(message, timeout, at)
        except BaseException:
            cell.refused()
            raise
        return SENT

    async def _send_later(self, message: object, timeout: float, at: float | None) -> None:
        cell = self._cell
        try:
            await put_with_room(cell, message, lambda: cell.put(message, None, at), timeout)
        except BaseException:  # also who is cancelled while it waits for room has not sent
            cell.refused()
            raise

    async def started(self, *, timeout: float | None = ASK_TIMEOUT_S) -> None:
        """Wait until it is up: `on_start` is done. So children start one after the other.

        Raises:
            StartFailed: `on_start` raised (it may be tried again, as its spec says), or it ended.
            AskTimeout: it is not up within `timeout` seconds.
        """
        cell = self._cell
        cell.check_process()
        home = ON_LOOP.dispatcher
        if home is None:
            answer: ThreadReply[bool] = ThreadReply(cell.realm.scheduler, cell.address)
            cell.tell_started(answer)
            await within(answer, timeout)
            return
        reply: Reply[bool] = Reply(home, cell.address)
        cell.tell_started(reply)
        if timeout is not None:
            home.expect(reply, timeout)
        await reply

    async def stopped(self, *, drain: bool = False) -> None:
        """Stop the actor and wait for its end."""
        home = ON_LOOP.dispatcher
        if home is None:
            await cast("ThreadReply[bool]", self.stop(block=False, drain=drain))
            return
        reply: Reply[bool] = Reply(home, self._cell.address)
        self._cell.end(reply, drain=drain)
        await reply

    # -- inside -----------------------------------------------------------------------------

    def _at(self, expires: float) -> float | None:
        """When it expires on the clock; None, which is never, for infinity."""
        if math.isnan(expires):
            raise ValueError("expires is nan and no number of seconds; give None for no deadline")
        if expires == math.inf:
            return None
        return self._cell.realm.scheduler.clock.monotonic() + expires

    def _put_ask(
        self,
        message: object,
        reply: Reply[Any] | ThreadReply[Any],
        expires: float | None,
        holder: Holder | None = None,
    ) -> None:
        """Queue an ask; a refusal is its answer (Pykka: an ask of a dead actor answers)."""
        cell = self._cell
        cell.bump()
        try:
            if holder is not None:
                note(holder, reply, cell, message)
            cell.put(message, reply, None if expires is None else self._at(expires))
        except KernelError as error:
            cell.refused()
            reply.resolve(None, error)
        except BaseException:  # a message that cannot even be measured
            cell.refused()
            raise

    def _wait_and_put(self, message: object, timeout: float, expires: float | None) -> None:
        cell = self._cell
        at = None if expires is None else self._at(expires)
        scheduler = cell.realm.scheduler
        try:
            put_when_room(cell, message, lambda: cell.put(message, None, at), scheduler, timeout)
        except BaseException:  # also who is cancelled while it waits for room has not sent
            cell.refused()
            raise
