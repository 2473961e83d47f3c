"""Counting that loses nothing: the numbers behind `audit()`.

A shared `+= 1` loses counts between threads. `itertools.count` is advanced in C and is
exact, so every counter here is one of those; the loops count in plain integers of their
own (one writer) and are read when quiet.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from dataclasses import dataclass

from transport.message import Message


class Tally:
    """A counter that any thread may bump; `bump()` is one C call."""

    __slots__ = ("_lock", "_reads", "bump")

    def __init__(self) -> None:
        self.bump = itertools.count().__next__
        self._lock = threading.Lock()
        self._reads = 0

    def value(self) -> int:
        """How often `bump` was called."""
        with self._lock:  # reading draws a number too; it is taken off again
            drawn = self.bump()
            self._reads += 1
            return drawn - self._reads + 1


class Audit(Message, tag="kernel.audit"):
    """Where every message of a system ended; exact when the system is quiet.

    The law (design §4, Conservation): sent = handled + failed + rejected + coalesced +
    dead_lettered + ambiguous + in_flight. `handled` returned or raised a declared error,
    `failed` raised anything else, `rejected` was refused to its sender.
    """

    sent: int
    handled: int
    failed: int
    rejected: int
    coalesced: int
    dead_lettered: int
    ambiguous: int
    in_flight: int

    @property
    def balanced(self) -> bool:
        """Whether the law holds."""
        ended = self.handled + self.failed + self.rejected + self.coalesced
        return self.sent == ended + self.dead_lettered + self.ambiguous + self.in_flight


@dataclass(frozen=True, slots=True)
class SlowHandler:
    """One handler that held its loop for longer than its budget."""

    address: str
    message_type: str
    budget_ms: int
    held_ms: int
    stack: str


class LoopCount:
    """What the actors of one system did on one loop; written by that loop only."""

    __slots__ = ("failed", "handled")

    def __init__(self) -> None:
        self.handled = 0
        self.failed = 0


class Counts:
    """All counters of one system; `Tally` where several threads write."""

    __slots__ = (
        "coalesced",
        "failed_elsewhere",
        "fenced",
        "handled_elsewhere",
        "rejected",
        "sent",
        "slow",
    )

    def __init__(self) -> None:
        self.sent = Tally()
        self.rejected = Tally()
        self.coalesced = Tally()
        self.fenced = Tally()  # handlers that nothing could stop
        self.handled_elsewhere = Tally()  # by thread actors, which have no dispatcher
        self.failed_elsewhere = Tally()
        self.slow: deque[SlowHandler] = deque(maxlen=100)
