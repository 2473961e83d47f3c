"""Asking an actor whose mailbox may be full: wait for room, then ask again.

Ten thousand members may end their turns at once, and all speak to one forwarder. A full mailbox
is then a queue at the door and no failure; nothing was queued, so nothing is done twice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from actors.kernel.errors import MailboxFull

if TYPE_CHECKING:
    from actors.kernel.ref import ActorRef
    from transport.message import Request

FIRST_PAUSE_S: Final = 0.01  # between two tries; doubled up to LAST_PAUSE_S
LAST_PAUSE_S: Final = 0.5
R = TypeVar("R")


async def patiently(ref: ActorRef[Any], question: Request[R], *, timeout: float | None = None) -> R:
    """Ask, waiting for room for as long as it takes.

    Args:
        timeout: Seconds for the answer, counted from when there was room; None for ever, which
            is right where only the actor's end can keep it from answering.

    Raises:
        ActorDead, ActorFailed, AskTimeout, and what the handler declares.
    """
    pause = FIRST_PAUSE_S
    while True:
        try:
            return await ref.request(question, timeout=timeout)
        except MailboxFull:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE_S)
