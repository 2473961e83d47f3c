"""The record of who was turned away at the door: the last ones whole, all of them counted.

Whoever can reach a port can fill a log, so lines are rationed; the counts are exact. Who is refused
once, and again within a minute, for the same reason, with the same key, from the same address, is
one record with a count: a peer that was set up wrongly dials for hours, and what somebody else
tried meanwhile must still be found.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

__all__ = ["Reason", "Refusal", "Refusals"]

KEPT: Final = 256
REPEAT_S: Final = 60.0  # between two of one record; twelve of the longest pauses between redials
LOG_INTERVAL_S: Final = 1.0
REMIND_S: Final = 600.0  # when a record that goes on is told again

_log = logging.getLogger(__name__)


class Reason(StrEnum):
    """Why somebody was refused; a closed list, so that counting is bounded."""

    MALFORMED = "malformed request"
    MECHANISM = "mechanism is not CURVE"
    DOMAIN = "unknown domain"
    KEY = "key is not allowed"
    ROLE = "role is not allowed here"
    FLOOD = "too many failed handshakes from this address"
    HANDSHAKE = "handshake failed"
    REVOKED = "key was revoked while connected"
    UNFINISHED = "endless message"
    CROWD = "too many silent connections"
    MUTE = "ended before it was understood"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One who was turned away, once or again and again.

    Attributes:
        at_s: When first, in seconds since 1970, for people.
        mechanism: What the peer offered, `-` when unknown.
        key: Its public key (Z85), `-` when it showed none.
        address: Its IP address, `-` when unknown.
        reason: Why.
        count: How often.
        lasted_s: Seconds from the first to the last.
    """

    at_s: float
    mechanism: str
    key: str
    address: str
    reason: Reason
    count: int = 1
    lasted_s: float = 0.0


@dataclass(slots=True)
class _Kept:
    """A record that may still be counted up."""

    refusal: Refusal
    until: float  # later than this another one begins
    tell_at: float | None = None  # when it is told next; None: at once, it was never told


class Refusals:
    """The last `KEPT` records, the number of each reason, and a line in the log now and then.

    May be used by any thread.

    Args:
        clock: Monotonic seconds, for repetitions and the ration of log lines.
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
        self._kept: deque[_Kept] = deque()  # by their beginning
        self._newest: dict[tuple[Reason, str, str], _Kept] = {}  # of those that are kept
        self._counts: Counter[Reason] = Counter()
        self._next_line = clock()
        self._unsaid = 0

    def record(
        self, reason: Reason, *, mechanism: str = "-", key: str = "-", address: str = "-"
    ) -> None:
        """Write down one refusal; texts that a peer sent must have been made printable."""
        with self._lock:
            now = self._clock()
            kept = self._noted(Refusal(self._wall(), mechanism, key, address, reason), now)
            self._counts[reason] += 1
            speak = now >= self._next_line and (kept.tell_at is None or now >= kept.tell_at)
            if speak:
                kept.tell_at = now + REMIND_S
                self._next_line = now + LOG_INTERVAL_S
                unsaid, self._unsaid = self._unsaid, 0
            else:
                self._unsaid += 1
            refusal = kept.refusal
        if speak:  # outside the lock: a log handler may do anything
            told = (("from", address), ("key", key), ("mechanism", mechanism))
            _log.warning(
                "refused%s: %s%s%s",
                "".join(f" {word} {value}" for word, value in told if value != "-"),
                reason.value,
                f", {refusal.count} times now" if refusal.count > 1 else "",
                f" (and {unsaid} more since the last line)" if unsaid else "",
            )

    def _noted(self, refusal: Refusal, now: float) -> _Kept:
        """The record that a refusal belongs to, counted up or begun."""
        same = (refusal.reason, refusal.key, refusal.address)
        kept = self._newest.get(same)
        if kept is not None and now <= kept.until:
            before = kept.refusal
            lasted_s = refusal.at_s - before.at_s
            kept.refusal = replace(before, count=before.count + 1, lasted_s=lasted_s)
            kept.until = now + REPEAT_S
            return kept
        kept = _Kept(refusal, now + REPEAT_S)
        self._newest[same] = kept
        self._kept.append(kept)
        if len(self._kept) > KEPT:
            oldest = self._kept.popleft()
            gone = (oldest.refusal.reason, oldest.refusal.key, oldest.refusal.address)
            if self._newest[gone] is oldest:
                del self._newest[gone]
        return kept

    def last(self) -> tuple[Refusal, ...]:
        """The records that are kept, in the order in which they began."""
        with self._lock:
            return tuple(kept.refusal for kept in self._kept)

    def counts(self) -> dict[Reason, int]:
        """How many there were of each reason since the start; reasons without one are absent."""
        with self._lock:
            return dict(self._counts)
