"""The record of who was turned away at the door: the last ones whole, all of them counted.

Whoever can reach a port can fill a log, so lines are rationed; the counts are exact.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["Reason", "Refusal", "Refusals"]

KEPT: Final = 256
LOG_INTERVAL_S: Final = 1.0

_log = logging.getLogger(__name__)


class Reason(StrEnum):
    """Why somebody was refused; a closed list, so that counting is bounded."""

    MALFORMED = "malformed request"
    MECHANISM = "mechanism is not CURVE"
    DOMAIN = "unknown domain"
    KEY = "key is not allowed"
    ROLE = "role is not allowed here"
    HANDSHAKE = "handshake failed"
    REVOKED = "key was revoked while connected"
    UNFINISHED = "endless message"
    CROWD = "too many silent connections"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One who was turned away.

    Attributes:
        at_s: Seconds since 1970, for people.
        mechanism: What the peer offered, `-` when unknown.
        key: Its public key (Z85), `-` when it showed none.
        address: Its IP address, `-` when unknown.
        reason: Why.
    """

    at_s: float
    mechanism: str
    key: str
    address: str
    reason: Reason


class Refusals:
    """The last `KEPT` refusals, the number of each reason, and a line in the log now and then.

    May be used by any thread.

    Args:
        clock: Monotonic seconds, for the ration of log lines.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._kept: deque[Refusal] = deque(maxlen=KEPT)
        self._counts: Counter[Reason] = Counter()
        self._next_line = clock()
        self._unsaid = 0

    def record(
        self, reason: Reason, *, mechanism: str = "-", key: str = "-", address: str = "-"
    ) -> None:
        """Write down one refusal; texts that a peer sent must have been made printable."""
        refusal = Refusal(self._wall(), mechanism, key, address, reason)
        with self._lock:
            self._kept.append(refusal)
            self._counts[reason] += 1
            now = self._clock()
            speak = now >= self._next_line
            if speak:
                self._next_line = now + LOG_INTERVAL_S
                unsaid, self._unsaid = self._unsaid, 0
            else:
                self._unsaid += 1
        if speak:  # outside the lock: a log handler may do anything
            told = (("from", address), ("key", key), ("mechanism", mechanism))
            _log.warning(
                "refused%s: %s%s",
                "".join(f" {word} {value}" for word, value in told if value != "-"),
                reason.value,
                f" (and {unsaid} more since the last line)" if unsaid else "",
            )

    def last(self) -> tuple[Refusal, ...]:
        """The refusals that are kept, oldest first."""
        with self._lock:
            return tuple(self._kept)

    def counts(self) -> dict[Reason, int]:
        """How many there were of each reason since the start; reasons without one are absent."""
        with self._lock:
            return dict(self._counts)
