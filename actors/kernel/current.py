"""What the running code belongs to: one of our loops, and a handler of an actor."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from actors.kernel.dispatch import Dispatcher
    from actors.kernel.waits import Holder


class OnLoop(threading.local):
    """`dispatcher` is set for as long as the thread runs one of our loops."""

    dispatcher: Dispatcher | None = None


ON_LOOP: Final = OnLoop()
HOLDER: Final[ContextVar[Holder | None]] = ContextVar("HOLDER", default=None)
"""The handler or hook that the running code is, also in tasks and threads that it began."""


def current_address() -> str:
    """The address of the actor whose handler or hook the caller runs in; "" outside."""
    holder = HOLDER.get()
    if holder is not None:
        return holder.box.address
    dispatcher = ON_LOOP.dispatcher
    if dispatcher is None:
        return ""
    if dispatcher.stepping is not None:
        return dispatcher.stepping.box.address
    return "" if dispatcher.current is None else dispatcher.current.address
