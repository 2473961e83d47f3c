"""Dead letters: messages that reached nobody, each with a reason from a closed list."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from actors.kernel.logs import logger_for
from transport.message import local_size

logger = logger_for(__name__)

DeadReason = Literal[
    "no_such_actor",
    "dead",
    "sealed",
    "not_wired",
    "unauthorised",
    "full",
    "expired",
    "unhandled",
    "undecodable",
    "interrupted",
    "poison",
    "stale_incarnation",
    "transport_lost",
    "shutdown",
]

REASONS: Final = frozenset(get_args(DeadReason))
# Of these nothing was handled, nobody was told, and no rule stood against the delivery.
REDELIVERABLE: Final[frozenset[DeadReason]] = frozenset(
    {"no_such_actor", "dead", "sealed", "full", "unhandled", "shutdown"}
)
RING = 1_000  # letters kept; the counts are complete, the ring is for looking
RING_BYTES = 16 * 1024 * 1024  # and what they hold, or a flood of large ones would stay


@dataclass(frozen=True, slots=True, repr=False)
class DeadLetter:
    """One message that ended nowhere. `message` is the object itself, never printed whole."""

    address: str
    reason: DeadReason
    message: object
    at_ms: int
    told: bool = False  # its sender asked, and was answered with this end

    @property
    def obstacle(self) -> str | None:
        """Why it must not be sent again; None when it may."""
        if self.told:
            return "its sender was told, and may have sent it again"
        if self.reason not in REDELIVERABLE:
            return f"the reason {self.reason!r} stands against it"
        return None

    @property
    def message_type(self) -> str:
        """The class name of the message."""
        return type(self.message).__qualname__

    def __repr__(self) -> str:
        return f"<DeadLetter {self.message_type} to {self.address}: {self.reason}>"


class DeadLetters:
    """The last dead letters of a system (1,000, 16 MiB), and how many there were of each reason.

    Any thread may add; the lock is a leaf (nothing is called while it is held).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ring: deque[tuple[DeadLetter, int]] = deque()
        self._bytes = 0
        self._counts: Counter[DeadReason] = Counter()
        self._loud: Counter[DeadReason] = Counter()  # those that are worth a warning
        self._ended = 0

    def add(self, letter: DeadLetter, *, ended: bool = True, expected: bool = False) -> None:
        """Keep and count a letter; the first of each reason, then every 1,000th, is logged.

        Args:
            ended: This letter is how its message ended. False for one whose sender was told
                (`not_wired`): it can be looked at, but the audit counts it elsewhere.
            expected: Nothing is wrong (news of an end for somebody who ends, too): no warning.
        """
        if letter.reason not in REASONS:
            raise ValueError(f"{letter.reason!r} is not a reason for a dead letter")
        size = local_size(letter.message)
        with self._lock:
            self._ring.append((letter, size))
            self._bytes += size
            while len(self._ring) > RING or self._bytes > RING_BYTES:
                self._bytes -= self._ring.popleft()[1]
            self._counts[letter.reason] += 1
            self._ended += ended
            count = self._counts[letter.reason]
            loud = ended and not expected  # a refused sender knows already
            self._loud[letter.reason] += loud
            heard = self._loud[letter.reason] if loud else count
        if heard == 1 or heard % 1_000 == 0:
            logger.log(
                logging.WARNING if loud else logging.DEBUG,
                "dead letter (%s, number %d): %s to %s",
                letter.reason,
                count,
                letter.message_type,
                letter.address,
                extra={"actor": letter.address},
            )

    def take(self, letter: DeadLetter) -> bool:
        """Take a letter out of the ring; False if it is not there (any more)."""
        with self._lock:
            for index, (kept, size) in enumerate(self._ring):
                if kept is letter:
                    del self._ring[index]
                    self._bytes -= size
                    return True
        return False

    def put_back(self, letter: DeadLetter) -> None:
        """Keep a letter that was taken; it is counted already."""
        with self._lock:
            self._ring.append((letter, local_size(letter.message)))
            self._bytes += self._ring[-1][1]

    def counts(self) -> dict[DeadReason, int]:
        """Letters per reason since the system began."""
        with self._lock:
            return dict(self._counts)

    @property
    def total(self) -> int:
        """Messages that ended as a dead letter since the system began."""
        with self._lock:
            return self._ended

    def __iter__(self) -> Iterator[DeadLetter]:
        with self._lock:
            return iter([letter for letter, _ in self._ring])

    def __len__(self) -> int:
        return len(self._ring)
