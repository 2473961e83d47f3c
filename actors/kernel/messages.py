"""Messages that the kernel itself sends to actors."""

from __future__ import annotations

from typing import Literal

from transport.message import Message

DownReason = Literal["normal", "shutdown", "failed", "no_such_actor", "unreachable"]


class Down(Message, tag="kernel.down"):
    """The watched actor is gone for good; exactly one per watch.

    `normal` = it stopped itself, `shutdown` = it was told to, `failed` = it failed and is not
    restarted (`error` says why), `no_such_actor` = it was already gone when the watch began,
    `unreachable` = the connection to its node was lost (it may live on).
    It comes after the last message of the target (design §4, Watch).
    """

    address: str
    reason: DownReason
    error: str | None = None
