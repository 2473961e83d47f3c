"""The ref of a thread actor: Pykka's, with counted sends and `request`."""

from __future__ import annotations

from collections.abc import Awaitable
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import pykka

from actors.kernel.current import HOLDER, ON_LOOP
from actors.kernel.errors import AskTimeout, KernelError, MailboxFull, WouldDeadlock
from actors.kernel.future import Reply, ThreadReply
from actors.kernel.ref import ASK_TIMEOUT_S, SENT
from actors.kernel.thread_inbox import ROOM_S, ThreadInbox
from actors.kernel.waiting import put_with_room, within
from actors.kernel.waits import Holder, note
from transport.message import Request

if TYPE_CHECKING:
    from actors.kernel.ports import Answerable

A = TypeVar("A", bound=pykka.Actor)
R = TypeVar("R")


class ThreadRef(pykka.ActorRef[A]):
    """A reference to a thread actor; one per actor. Pykka's contract, plus ours."""

    actor_inbox: ThreadInbox  # type: ignore[assignment]  # ours takes messages, not envelopes

    @property
    def address(self) -> str:
        """`mob://system/path`, or the URN of an actor without a system."""
        return self.actor_inbox.address

    def __str__(self) -> str:
        return f"{self.actor_class.__name__} ({self.address})"

    # -- from threads -----------------------------------------------------------------------

    def tell(self, message: object, *, timeout: float | None = ROOM_S) -> None:
        """Send a message and wait for nothing but room.

        Args:
            timeout: Seconds to wait for room (not on a loop, not in the actor itself).

        Raises:
            ActorDead: it has stopped.
            MailboxFull: no room in time.
        """
        try:
            self._put(message, None, timeout or 0.0)
        except BaseException:  # also an interrupt while it waits for room
            self.actor_inbox.counts.rejected.bump()
            raise

    @overload  # type: ignore[override]  # Pykka's, with the typed requests first
    def ask(
        self, message: Request[R], *, block: Literal[True] = True, timeout: float | None = None
    ) -> R: ...
    @overload
    def ask(
        self, message: Request[R], *, block: Literal[False], timeout: float | None = None
    ) -> ThreadReply[R]: ...
    @overload
    def ask(
        self, message: object, *, block: bool = True, timeout: float | None = None
    ) -> Any: ...  # Any: Pykka's contract
    def ask(self, message: object, *, block: bool = True, timeout: float | None = None) -> Any:
        """As Pykka's: waits for ever by default; an exception of the handler is raised here.

        Raises:
            AskTimeout: (a pykka.Timeout) no answer in time.
            ActorDead: it has stopped, or stopped before it handled the message.
            WouldDeadlock: called on one of the loops; nothing was sent.
            AskCycle: it waits for the thread actor that asks; nothing was sent.
            Exception: whatever its handler raised.
        """
        if block and ON_LOOP.dispatcher is not None:
            raise WouldDeadlock(f"ask of {self.address}")
        reply: ThreadReply[Any] = ThreadReply(None, self.address)
        reply.target, reply.asked = self.actor_inbox, message
        if not block or timeout is None:
            self._ask(message, reply, HOLDER.get() if block else None)
            return reply.get() if block else reply
        until = monotonic() + timeout  # it covers the wait for room
        queued = self._ask(message, reply, HOLDER.get(), min(max(timeout, 0.0), ROOM_S))
        if not queued and timeout < ROOM_S and isinstance(reply._error, MailboxFull):
            raise AskTimeout(self.address, timeout)
        try:
            return reply.get(timeout=max(until - monotonic(), 0.0))
        except AskTimeout:
            if reply.done:  # it is the answer
                raise
            raise AskTimeout(self.address, timeout) from None  # not what was left of it

    def stop(self, *, block: bool = True, timeout: float | None = None, drain: bool = True) -> Any:
        """As Pykka's; `drain=False` overtakes what is queued, which becomes dead letters.

        Raises:
            AskTimeout: (a pykka.Timeout) it has not ended in time; it goes on stopping.
            WouldDeadlock: a blocking call on one of the loops.
        """
        if block and ON_LOOP.dispatcher is not None:
            raise WouldDeadlock(f"waiting for the end of {self.address}")
        reply: ThreadReply[bool] = ThreadReply(None, self.address)
        if not self.actor_inbox.put_stop(reply, overtake=not drain):
            reply.resolve(False, None)
        return reply.get(timeout=timeout) if block else reply

    # -- on a loop --------------------------------------------------------------------------

    @overload
    def request(self, message: Request[R], *, timeout: float | None = ...) -> Awaitable[R]: ...
    @overload
    def request(
        self, message: object, *, timeout: float | None = ...
    ) -> Awaitable[Any]: ...  # Any: as in `ask`
    def request(self, message: object, *, timeout: float | None = ASK_TIMEOUT_S) -> Awaitable[Any]:
        """Send a message now; await the result for the answer. Raises what `ask` raises."""
        home = ON_LOOP.dispatcher
        if home is None:
            answer: ThreadReply[Any] = ThreadReply(None, self.address)
            self._ask(message, answer, room_s=0.0)  # this thread runs a loop, if not one of ours
            return within(answer, timeout)
        reply: Reply[Any] = Reply(home, self.address)
        self._ask(message, reply, home.stepping or HOLDER.get())
        if timeout is not None and not reply.done:
            home.expect(reply, timeout)
        return reply

    def send(self, message: object, *, timeout: float = ASK_TIMEOUT_S) -> Awaitable[None]:
        """As `tell`, but the result waits up to `timeout` seconds for room: await it."""
        try:
            self._put(message, None, 0.0)
        except MailboxFull:
            return self._send_later(message, timeout)
        except BaseException:
            self.actor_inbox.counts.rejected.bump()
            raise
        return SENT

    async def _send_later(self, message: object, timeout: float) -> None:
        inbox = self.actor_inbox
        try:
            await put_with_room(inbox, message, lambda: inbox.put(message, None, 0.0), timeout)
        except BaseException:  # also who is cancelled while it waits for room has not sent
            inbox.counts.rejected.bump()
            raise

    async def stopped(self, *, drain: bool = True) -> None:
        """Stop the actor and wait for its end."""
        home = ON_LOOP.dispatcher
        ended = self.stop(block=False, drain=drain)
        if home is None:
            await ended
            return
        reply: Reply[None] = Reply(home, self.address)
        ended.when_done(lambda: reply.done or reply.resolve(None, None))
        await reply

    # -- inside -----------------------------------------------------------------------------

    def _put(self, message: object, reply: Answerable | None, wait_s: float) -> None:
        inbox = self.actor_inbox
        inbox.counts.sent.bump()
        inbox.put(message, reply, wait_s)

    def _ask(
        self,
        message: object,
        reply: Reply[Any] | ThreadReply[Any],
        holder: Holder | None = None,
        room_s: float = ROOM_S,
    ) -> bool:
        """Queue an ask, or answer it with the refusal; whether it was queued."""
        try:
            if holder is not None:
                note(holder, reply, self.actor_inbox, message)
            self._put(message, reply, room_s)
        except KernelError as error:
            self.actor_inbox.counts.rejected.bump()
            reply.resolve(None, error)
            return False
        except BaseException:
            self.actor_inbox.counts.rejected.bump()
            raise
        return True
