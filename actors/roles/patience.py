"""Asking an actor whose mailbox may be full: wait for room, then ask again.

Ten thousand members may end their turns at once, and all speak to one forwarder. A full mailbox
is then a queue at the door and no failure; nothing was queued, so nothing is done twice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from actors.kernel.errors import AskTimeout, MailboxFull

if TYPE_CHECKING:
    from actors.kernel.ref import ActorRef
    from transport.message import Request

FIRST_PAUSE_S: Final = 0.01  # between two tries; doubled up to LAST_PAUSE_S
LAST_PAUSE_S: Final = 0.5
R = TypeVar("R")


async def patiently(ref: ActorRef[Any], question: Request[R], *, timeout: float | None = None) -> R:
    """Ask, waiting for room.

    Args:
        timeout: Seconds for room and answer together; None for ever, which is right where only
            the actor's end can keep it from answering.

    Raises:
        ActorDead, ActorFailed, AskTimeout, and what the handler declares.
    """
    pause = FIRST_PAUSE_S
    now = asyncio.get_running_loop().time
    until = None if timeout is None else now() + timeout
    while True:
        try:
            left = None if until is None else max(until - now(), 0.0)
            return await ref.request(question, timeout=left)
        except MailboxFull as error:
            if until is not None and now() + pause > until:
                raise AskTimeout(ref.address, timeout) from error
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE_S)
