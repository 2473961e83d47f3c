"""The two ways into a store: to work with it, and to look whether it is sound."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw

from actors.domain.errors import StoreError
from actors.stores import storefile
from actors.stores.memory import MemoryLedger
from actors.stores.ports import Durability, Ledger, LedgerCheck
from actors.stores.sqlite import NO_OWNER, SqliteLedger, check_file
from actors.stores.storefile import LEDGER_FILE, errors_named
from actors.stores.witness import WITNESS_FILE, read_claim


def open_ledger(state_dir: Path, mob: str, durability: Durability = "full") -> Ledger:
    """Open the ledger of ``mob``, made when missing; "memory" leaves ``state_dir`` alone.

    Raises:
        StoreError and its kinds: see `SqliteLedger`.
    """
    if durability == "memory":
        return MemoryLedger(mob)
    return SqliteLedger(Path(state_dir), mob, durability=durability)


def sqlite_version() -> str:
    """Say which SQLite is loaded, such as "3.51.3"; an older one may corrupt a store."""
    return apsw.sqlite_lib_version()


def verify_store(path: Path) -> LedgerCheck:
    """Check a store from outside, without its lock and without writing: its mob may be running.

    Args:
        path: A state directory, or the SQLite file itself.

    Returns:
        What was found; damage is a report, not an error.

    Raises:
        StoreTooNew: a newer program wrote it.
        StoreError: there is no store, it is not one of ours, or it cannot be read.
    """
    file = Path(path)
    if file.is_dir():
        file = file / LEDGER_FILE
    if not file.exists():
        raise StoreError(
            str(file), "there is no such file", "name a state directory that a mob has used"
        )
    storefile.check_header(file, storefile.newest_version())
    if not storefile.has_log(file):
        # Nobody uses it, so nothing need be made beside it, and a read-only medium will do.
        check = _verify(file, immutable=True)
        if check.ok or not storefile.has_log(file):
            return check
        # A mob opened it while we looked; what we read as fixed may have moved.
    return _verify(file, immutable=False)


def _verify(file: Path, *, immutable: bool) -> LedgerCheck:
    # Read before the rows: a running mob only ever adds to what the witness said.
    claim = read_claim(file.with_name(WITNESS_FILE)) if file.name == LEDGER_FILE else None
    with (
        errors_named(file, "open the store for reading"),
        closing(storefile.connect_reader(file, immutable=immutable)) as connection,
    ):
        try:
            mob = storefile.mob_of(connection)
        except storefile.DAMAGE as error:
            return LedgerCheck(ok=False, entries=0, problem=f"SQLite: {storefile.describe(error)}")
        if mob is None:
            return LedgerCheck(ok=False, entries=0, problem=NO_OWNER)
        return check_file(connection, mob, claim)
