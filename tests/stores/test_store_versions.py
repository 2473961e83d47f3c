"""Older stores migrate after a copy, newer ones are refused untouched."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from actors.domain.errors import StoreDamaged, StoreTooNew
from actors.domain.events import LedgerEvent, MemberHeld
from actors.stores import LedgerCheck, SqliteLedger, verify_store
from actors.stores.storefile import LEDGER_FILE, Migration


def notes(count: int) -> list[LedgerEvent]:
    return [MemberHeld(identity=f"risk-{n}", reason="tired") for n in range(count)]


def filled(state_dir: Path, count: int, mob: str = "panel") -> Path:
    with closing(SqliteLedger(state_dir, mob)) as ledger:
        ledger.append(notes(count), at_ms=1)
    return state_dir / LEDGER_FILE


def edit(file: Path, statement: str, *values: apsw.SQLiteValue) -> None:
    """Change the store behind its back, the way no ledger would."""
    with closing(apsw.Connection(str(file), apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.execute(statement, values).fetchall()


def picture(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def add_column(connection: apsw.Connection) -> None:
    connection.execute("ALTER TABLE meta ADD COLUMN note TEXT")


def stumble(connection: apsw.Connection) -> None:
    connection.execute("DROP TABLE meta")
    raise RuntimeError("stumbled")


NEXT: tuple[Migration, ...] = (add_column,)


def test_a_newer_store_is_refused_untouched(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path, "panel", migrations=NEXT)) as ledger:
        ledger.append(notes(3), at_ms=1)
    before = picture(tmp_path)

    with pytest.raises(StoreTooNew) as caught:
        SqliteLedger(tmp_path, "panel")
    with pytest.raises(StoreTooNew):
        verify_store(tmp_path)

    assert (caught.value.found, caught.value.known) == (2, 1)
    assert picture(tmp_path) == before


def test_an_older_store_is_copied_and_migrated(tmp_path: Path) -> None:
    filled(tmp_path, 3)

    with closing(SqliteLedger(tmp_path, "panel", migrations=NEXT)) as ledger:
        assert ledger.verify() == LedgerCheck(ok=True, entries=3)
        assert ledger.append(notes(1), at_ms=2) == 4

    backup = tmp_path / f"{LEDGER_FILE}.v1.bak"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert verify_store(backup) == LedgerCheck(ok=True, entries=3)
    with closing(SqliteLedger(tmp_path, "panel", migrations=NEXT)) as ledger:
        assert ledger.head() == 4


def test_migrations_run_in_order_from_the_version_found(tmp_path: Path) -> None:
    def fill_column(connection: apsw.Connection) -> None:
        connection.execute("UPDATE meta SET note = 'filled'")

    with closing(SqliteLedger(tmp_path, "panel", migrations=NEXT)):
        pass
    with closing(SqliteLedger(tmp_path, "panel", migrations=(*NEXT, fill_column))) as ledger:
        row = ledger._writer.execute("SELECT note FROM meta").fetchone()

    assert row == ("filled",)
    assert (tmp_path / f"{LEDGER_FILE}.v2.bak").exists()


def test_a_failing_migration_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    filled(tmp_path, 3)

    with pytest.raises(RuntimeError, match="stumbled"):
        SqliteLedger(tmp_path, "panel", migrations=(stumble,))

    with closing(SqliteLedger(tmp_path, "panel")) as ledger:
        assert ledger.verify() == LedgerCheck(ok=True, entries=3)


def test_a_version_that_is_still_in_the_log_is_seen(tmp_path: Path) -> None:
    """The first bytes of the file are not the whole truth after a kill."""
    file = filled(tmp_path / "a", 1)
    with closing(apsw.Connection(str(file), apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.execute("PRAGMA user_version = 9")
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    before = (tmp_path / "b" / LEDGER_FILE).read_bytes()

    with pytest.raises(StoreTooNew) as caught:
        SqliteLedger(tmp_path / "b", "panel")

    assert caught.value.found == 9
    assert (tmp_path / "b" / LEDGER_FILE).read_bytes() == before


def orphan_pages(file: Path) -> None:
    """Damage that lies outside the entries: pages that belong to nothing."""
    edit(file, "CREATE INDEX extra ON ledger(at_ms)")
    with closing(apsw.Connection(str(file), apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.config(apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1)
        connection.execute("DELETE FROM sqlite_schema WHERE name = 'extra'")


def test_a_damaged_older_store_is_not_migrated(tmp_path: Path) -> None:
    file = filled(tmp_path, 2000)
    orphan_pages(file)
    before = file.read_bytes()

    with pytest.raises(StoreDamaged, match="SQLite"):
        SqliteLedger(tmp_path, "panel", migrations=NEXT)

    assert file.read_bytes() == before
    assert not (tmp_path / f"{LEDGER_FILE}.v1.bak").exists()
