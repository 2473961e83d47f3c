"""When is a mob quiet? Two equal quiet snapshots in a row, or the deadline and an honest list.

One quiet snapshot proves little: its parts are read one after the other, and a message can hide in
the part that was read before it arrived. If it did, something was handled or written meanwhile, and
the next snapshot differs in `handled` or `cursor`. Two equal quiet snapshots leave no such place.

Source: design §6 ("drain = quiescence"), instead of the two 50 ms passes of
spec/unified_runtime.md §5.2; INV-5.3.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from transport.message import FrozenMap, Message

UNCONFIRMED: Final = "a second look: the mob was quiet once, not yet twice"
UNSEEN: Final = "a first look at the mob"


class DrainSnapshot(Message):
    """What is going on in a mob.

    Attributes:
        turns: Members taking a turn.
        queued: Member to inputs waiting for a turn; members without any may be left out.
        in_flight: Messages on their way between actors.
        unwritten: Ledger events not yet committed.
        silent: Parts of the mob that did not answer: nobody knows what they still do.
        handled: Messages handled since the launch; it tells two quiet moments apart.
        cursor: Head of the ledger; so does this.
    """

    turns: frozenset[str] = frozenset()
    queued: FrozenMap[str, int] = FrozenMap({})
    in_flight: int = 0
    unwritten: int = 0
    silent: frozenset[str] = frozenset()
    handled: int = 0
    cursor: int = 0

    @property
    def quiet(self) -> bool:
        """Whether nothing is going on and nothing waits."""
        moving = self.turns or any(self.queued.values()) or self.in_flight or self.unwritten
        return not (moving or self.silent)

    @property
    def remaining(self) -> tuple[str, ...]:
        """What is going on, in words, members sorted by name; empty exactly when quiet."""
        queued = {name: count for name, count in self.queued.items() if count}
        lines = []
        for name in sorted(self.turns | queued.keys()):
            parts = ["a turn is running"] if name in self.turns else []
            if name in queued:
                parts.append(f"{_counted(queued[name], 'input')} waiting")
            lines.append(f"{name}: {', '.join(parts)}")
        if self.in_flight:
            lines.append(f"{_counted(self.in_flight, 'message')} on the way")
        if self.unwritten:
            lines.append(f"{_counted(self.unwritten, 'event')} not yet in the ledger")
        lines.extend(f"{name}: does not answer" for name in sorted(self.silent))
        return tuple(lines)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class Verdict(StrEnum):
    """What the drain has come to; the last two are final."""

    WAITING = "waiting"
    QUIET = "quiet"
    TIMED_OUT = "timed_out"


class Quiescence:
    """Judges snapshots until the mob is quiet or the deadline has come.

    Args:
        deadline: Seconds on the clock of the `now` given to `observe`.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._last: DrainSnapshot | None = None
        self._verdict = Verdict.WAITING

    @property
    def verdict(self) -> Verdict:
        """The verdict of the last `observe`."""
        return self._verdict

    @property
    def remaining(self) -> tuple[str, ...]:
        """What the drain still waits for (or waited for when time was up); empty once quiet."""
        if self._verdict is Verdict.QUIET:
            return ()
        if self._last is None:
            return (UNSEEN,)
        return self._last.remaining or (UNCONFIRMED,)

    def observe(self, snapshot: DrainSnapshot, now: float) -> Verdict:
        """Take one more snapshot into account.

        A quiet pair wins over the deadline if both come together. After a final verdict nothing
        changes any more.

        Args:
            snapshot: The mob as of now; read after the one before was judged.
            now: Seconds on the deadline's clock.
        """
        if self._verdict is not Verdict.WAITING:
            return self._verdict
        if snapshot.quiet and snapshot == self._last:
            self._verdict = Verdict.QUIET
        elif now >= self._deadline:
            self._verdict = Verdict.TIMED_OUT
        self._last = snapshot
        return self._verdict
