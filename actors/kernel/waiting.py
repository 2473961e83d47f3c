"""Waiting: for room in a mailbox that is full, and for answers on loops that are not ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from actors.kernel.current import ON_LOOP
from actors.kernel.errors import AskTimeout, MailboxFull, WouldDeadlock
from actors.kernel.future import Reply, ThreadReply
from actors.kernel.ports import Scheduler

R = TypeVar("R")


class Box(Protocol):
    """A mailbox that says when there may be room."""

    address: str

    def when_room(self, message: object, wake: Callable[[], object]) -> None:
        """Call `wake` (any thread, once or twice) when to try `message` again."""

    def forget_room(self, wake: Callable[[], object]) -> None:
        """Do not call `wake` any more; any thread, also when it was called."""


def put_when_room(
    box: Box,
    message: object,
    put: Callable[[], None],
    scheduler: Scheduler,
    timeout: float,
) -> None:
    """Try `put` until it succeeds, blocking the thread in between.

    Raises:
        MailboxFull: no room within `timeout` seconds.
        WouldDeadlock: called on one of the loops.
        KernelError: whatever else `put` raises.
    """
    if ON_LOOP.dispatcher is not None:
        raise WouldDeadlock(f"waiting for room in {box.address}")
    now = scheduler.clock.monotonic
    until = now() + timeout
    while (left := _try(put, now, until)) is not None:
        _block(box, message, scheduler, left)


def _try(put: Callable[[], None], now: Callable[[], float], until: float) -> float | None:
    """The seconds left to wait for room; None when `put` succeeded. Raises as `put_when_room`."""
    try:
        put()
    except MailboxFull:
        left = until - now()
        if left <= 0:
            raise
        return left
    return None


def _block(box: Box, message: object, scheduler: Scheduler, timeout: float) -> None:
    room: ThreadReply[None] = ThreadReply(scheduler, box.address)

    def wake() -> None:
        room.resolve(None, None)

    try:
        box.when_room(message, wake)
        scheduler.wait(room, timeout)
    finally:
        box.forget_room(wake)


async def put_with_room(
    box: Box,
    message: object,
    put: Callable[[], None],
    timeout: float,
) -> None:
    """As `put_when_room`, on an event loop (one of ours or any other)."""
    now = asyncio.get_running_loop().time
    until = now() + timeout
    while (left := _try(put, now, until)) is not None:
        await _room(box, message, left)


async def _room(box: Box, message: object, timeout: float) -> None:
    home = ON_LOOP.dispatcher
    if home is None:
        gate: ThreadReply[None] = ThreadReply(None, box.address)

        def open_gate() -> None:
            gate.resolve(None, None)

        try:
            box.when_room(message, open_gate)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await gate
        finally:
            box.forget_room(open_gate)
        return
    room: Reply[None] = Reply(home, box.address)

    def wake() -> None:
        if not room.done:
            room.resolve(None, None)

    timer = room.timer = home.later(timeout, wake)
    try:
        box.when_room(message, wake)
        await room
    finally:  # also when who waits is cancelled
        timer.cancel()
        box.forget_room(wake)


async def within(reply: ThreadReply[R], timeout: float | None) -> R:
    """Await an answer on an event loop that is not ours, at most `timeout` seconds.

    Raises:
        AskTimeout: no answer in time.
    """
    # Not asyncio.wait_for: before Python 3.12 it may swallow a cancellation that meets the answer.
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await reply
    except TimeoutError:
        if not limit.expired():  # it is the answer itself
            raise
    if reply.done:  # it came in the same moment
        return reply.get(timeout=0)
    raise AskTimeout(reply.address, timeout)
