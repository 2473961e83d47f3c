"""A ledger that lives and dies with its process: for tests, dry runs and throw-away mobs."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from actors.domain.errors import StoreDamaged, StoreError
from actors.domain.events import Entry, LedgerEvent
from actors.stores.chain import BrokenLink, Row, extend, genesis
from actors.stores.entries import check_rows, entry_of, parts_of
from actors.stores.ports import LedgerCheck


class MemoryLedger:
    """`Ledger` over a list of rows.

    The rows are the same as on disk, encoded and chained, so that a mob tested in memory meets the
    same refusals (an event that cannot be encoded or decoded) as one with a file. Nothing survives.
    """

    path: str | None = None

    def __init__(self, mob: str) -> None:
        self.mob = mob
        self._rows: list[Row] = []
        self._head = genesis(mob)
        self._closed = False
        self._writing = Lock()

    def append(self, events: Sequence[LedgerEvent], *, at_ms: int) -> int:
        """Add all events or none; see `Ledger.append`."""
        parts = parts_of(events)
        with self._writing:
            self._check_open()
            rows, head = extend(self._head, parts, at_ms)
            self._rows.extend(rows)
            self._head = head
            return head.cursor

    def read(self, after: int = 0, limit: int = 1000) -> tuple[Entry, ...]:
        """Give the entries after ``after``; see `Ledger.read`."""
        if after < 0 or limit < 1:
            raise ValueError(f"after must be >= 0 and limit >= 1, not {after} and {limit}")
        self._check_open()
        try:
            return tuple(entry_of(row) for row in self._rows[after : after + limit])
        except BrokenLink as broken:
            raise StoreDamaged("memory", broken.cursor, broken.problem) from broken

    def head(self) -> int:
        """Give the cursor of the last entry, 0 when there is none."""
        self._check_open()
        return self._head.cursor

    def verify(self) -> LedgerCheck:
        """Read everything and report; see `Ledger.verify`."""
        self._check_open()
        return check_rows(self._rows[:], self.mob)

    def close(self) -> None:
        """Forget everything; closing twice does nothing."""
        with self._writing:
            self._closed = True
            self._rows.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("memory", "the ledger is closed", "open a new one")
