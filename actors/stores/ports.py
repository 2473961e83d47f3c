"""What the rest of a mob may ask of a store, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

from actors.domain.events import Entry, LedgerEvent
from actors.domain.tables import Report

Durability: TypeAlias = Literal["full", "normal", "memory"]
"""What an acknowledged append survives: power loss, the death of the process, or neither."""


class LedgerCheck(Report):
    """What a full reading of a ledger found.

    ``entries`` counts the entries that are sound, from the first one on; ``first_bad`` is the
    cursor of the first that is not, None when the ledger is sound or the damage lies outside its
    entries; ``problem`` is one clause, None when ``ok``.
    """

    ok: bool
    entries: int
    first_bad: int | None = None
    problem: str | None = None


class Ledger(Protocol):
    """The append-only record of one mob: entries 1..n without a gap, chained by hashes.

    All calls block. Any thread may read; appends from several threads are taken one after the
    other. A reader at cursor c gets every entry after c once, in the order every other reader
    sees, and a published prefix never changes (``reference/reliability.md`` G4). After `close`
    every other call raises `StoreError`.
    """

    @property
    def path(self) -> str | None:
        """The file that holds the ledger; None when it lives in memory."""
        ...

    def append(self, events: Sequence[LedgerEvent], *, at_ms: int) -> int:
        """Add all events, or none, in one transaction; durable when it returns.

        Args:
            events: In the order they get their cursors. Empty: nothing happens.
            at_ms: Wall clock in milliseconds since 1970, for display; a ledger's times never run
                backwards, so the entries get ``max(time of the last entry, at_ms)``.

        Returns:
            The cursor of the last entry of the ledger.

        Raises:
            StoreError: nothing was appended (full disk, failing disk, closed ledger).
        """
        ...

    def read(self, after: int = 0, limit: int = 1000) -> tuple[Entry, ...]:
        """Give up to ``limit`` entries with a cursor above ``after``, in order.

        What is handed out has been checked against the chain; nothing after ``after`` is ().

        Raises:
            StoreDamaged: an entry, or its predecessor, is not what was written. Nothing is served.
            StoreError: the ledger is closed or its file cannot be read.
            ValueError: ``after`` is negative or ``limit`` below 1.
        """
        ...

    def head(self) -> int:
        """Give the cursor of the last entry, 0 when there is none."""
        ...

    def verify(self) -> LedgerCheck:
        """Read everything and check density, chain and every event; damage is a report, no error.

        Raises:
            StoreError: the ledger is closed or its file cannot be read.
        """
        ...

    def close(self) -> None:
        """Give up files and locks; closing twice does nothing."""
        ...
