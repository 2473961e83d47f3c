"""Where the facts of a mob are kept: the port, SQLite through APSW, and memory."""

from __future__ import annotations

from actors.stores.memory import MemoryLedger
from actors.stores.opening import open_ledger, verify_store
from actors.stores.ports import Durability, Ledger, LedgerCheck
from actors.stores.sqlite import SqliteLedger

__all__ = [
    "Durability",
    "Ledger",
    "LedgerCheck",
    "MemoryLedger",
    "SqliteLedger",
    "open_ledger",
    "verify_store",
]
