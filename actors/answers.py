"""How who asks a mob waits for the answer: a thread blocks, a task of an event loop awaits.

What is asked, and what an answer means, is written once for both: as coroutines that wait for
nothing but a `Waiting`. With `Blocking` such a coroutine never pauses, so `at_once` runs it like a
function; with `OnLoop` it is a coroutine as any other, for whatever asyncio loop runs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from actors.kernel.current import ON_LOOP
from actors.kernel.errors import WouldDeadlock
from actors.kernel.future import ThreadReply
from actors.kernel.waiting import within

if TYPE_CHECKING:
    from actors.kernel.ports import Scheduler
    from actors.kernel.ref import ActorRef

R = TypeVar("R")


class Waiting(Protocol):
    """Where a caller stands, and so how it waits."""

    def check(self, what: str) -> None:
        """Refuse what would never end here. Raises WouldDeadlock; nothing was sent."""

    async def reply(self, reply: ThreadReply[R], timeout: float) -> R:
        """The answer, waited for at most `timeout` seconds.

        Raises:
            AskTimeout: no answer in time.
            Exception: whatever the answer is, if it is an exception.
        """

    async def work(self, call: Callable[[], R]) -> R:
        """The result of a call that waits for the disk, or for a moment."""

    async def see_through(self, call: Callable[[], R], cut: Callable[[], object]) -> R:
        """The result of a call that must come to its end; `cut` makes it end soon."""


async def answer(waiting: Waiting, ref: ActorRef[Any], message: object, timeout: float) -> Any:
    """Send `message` and wait for the answer. Raises as `ActorRef.ask`."""
    waiting.check(f"ask of {ref.address}")
    # Any: untyped messages are answered with anything, Pykka's contract
    reply: ThreadReply[Any] = ref.ask(message, block=False)
    return await waiting.reply(reply, timeout)


class Blocking:
    """Blocks the calling thread, which must not be an event loop of ours.

    In a `SimulatedWorld` it runs the world meanwhile.
    """

    def check(self, what: str) -> None:
        """Raises WouldDeadlock on any of our loops."""
        if ON_LOOP.dispatcher is not None:
            raise WouldDeadlock(what)

    async def reply(self, reply: ThreadReply[R], timeout: float) -> R:
        """See `Waiting.reply`."""
        return reply.get(timeout=timeout)

    async def work(self, call: Callable[[], R]) -> R:
        """Call it here."""
        return call()

    async def see_through(self, call: Callable[[], R], cut: Callable[[], object]) -> R:
        """Call it here; who interrupts it meets its own handling of that."""
        return call()


def at_once(verb: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine that waits with `Blocking`, and so never pauses."""
    try:
        verb.send(None)
    except StopIteration as end:
        result: R = end.value
        return result
    verb.close()
    raise RuntimeError(f"{verb!r} paused, but there is no event loop to wake it")


class OnLoop:
    """Lets the task that calls wait, and its loop go on; any asyncio loop but the mob's own.

    An answer costs no thread, a `work` one of the running loop's executor, a `see_through` one
    of its own.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._own = (scheduler.dispatcher("system"), scheduler.dispatcher("member"))

    def check(self, what: str) -> None:
        """Raises WouldDeadlock on the loops of the mob: a member waits with its TurnContext."""
        if ON_LOOP.dispatcher in self._own:
            raise WouldDeadlock(what)

    async def reply(self, reply: ThreadReply[R], timeout: float) -> R:
        """See `Waiting.reply`. Who is cancelled leaves nothing behind but a dropped answer."""
        return await within(reply, timeout)

    async def work(self, call: Callable[[], R]) -> R:
        """Call it in a thread of the running loop's executor, which has a bound."""
        return await asyncio.to_thread(call)

    async def see_through(self, call: Callable[[], R], cut: Callable[[], object]) -> R:
        """Call it in a thread; who is cancelled cuts it short, and sees its end all the same."""
        ending = in_thread(call, "mob-shutdown")

        def cut_short() -> ThreadReply[R]:
            cut()
            return ending

        return await to_the_end(ending, cut_short)


def in_thread(call: Callable[[], R], name: str) -> ThreadReply[R]:
    """Start `call` in a thread of its own, and give what becomes its result.

    The thread is a daemon: what it does must be seen to at exit by other means.
    """
    reply: ThreadReply[R] = ThreadReply(address=name)

    def run() -> None:
        try:
            value = call()
        except BaseException as error:  # noqa: BLE001 - also SystemExit: the caller meets it
            reply.resolve(None, error)
        else:
            reply.resolve(value, None)

    threading.Thread(target=run, name=name, daemon=True).start()
    return reply


async def to_the_end(reply: ThreadReply[R], cut: Callable[[], ThreadReply[Any]]) -> R:
    """Await `reply`; who is cancelled calls `cut` and leaves once what that gives is done.

    Another cancellation does not change this: so nothing is half started or half ended when the
    caller goes on. Where nobody can wait any more (the loop throws the coroutine away, or Ctrl-C
    strikes just here) it is `cut`, and ends by itself.
    """
    try:
        return await reply
    except asyncio.CancelledError:
        end = cut()
        while not end.done:
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await end
        raise
    except BaseException:
        if not reply.done:
            _ = cut()
        raise
