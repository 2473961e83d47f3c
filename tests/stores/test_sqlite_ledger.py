"""The SQLite ledger beyond the port: its files, whose they are, and who reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from actors.domain.errors import StoreDamaged, StoreError, StoreInUse
from actors.domain.events import LedgerEvent, MemberHeld
from actors.stores import LedgerCheck, SqliteLedger, open_ledger, verify_store
from actors.stores.storefile import LEDGER_FILE
from actors.stores.witness import WITNESS_FILE


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


# ---- files and modes


def test_the_directory_and_every_file_in_it_are_private(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "deep" / "state", "panel")
    ledger.append(notes(1), at_ms=1)

    modes = {
        file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "deep" / "state").iterdir()
    }

    assert (tmp_path / "deep" / "state").stat().st_mode & 0o777 == 0o700
    assert set(modes) == {
        LEDGER_FILE,
        f"{LEDGER_FILE}-wal",
        f"{LEDGER_FILE}-shm",
        WITNESS_FILE,
        "lock",
    }
    assert set(modes.values()) == {0o600}
    ledger.close()


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
def test_durability_is_what_sqlite_was_told(
    tmp_path: Path, durability: str, synchronous: int
) -> None:
    assert durability in ("full", "normal")
    ledger = SqliteLedger(tmp_path, "panel", durability="full" if synchronous == 2 else "normal")
    writer = ledger._writer

    assert writer.pragma("synchronous") == synchronous
    assert writer.pragma("journal_mode") == "wal"
    assert writer.pragma("fullfsync") == writer.pragma("checkpoint_fullfsync") == 1
    ledger.close()


def test_what_was_appended_is_there_after_reopening(tmp_path: Path) -> None:
    filled(tmp_path, 5)

    with closing(SqliteLedger(tmp_path, "panel")) as ledger:
        assert ledger.append(notes(1), at_ms=0) == 6
        assert [entry.at_ms for entry in ledger.read()] == [1] * 6
        assert ledger.verify() == LedgerCheck(ok=True, entries=6)


def test_closing_leaves_no_log_and_no_lock(tmp_path: Path) -> None:
    filled(tmp_path, 5)

    assert sorted(picture(tmp_path)) == ["ledger.head", "ledger.sqlite", "lock"]


def test_a_half_made_store_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / f"{LEDGER_FILE}.new").write_bytes(b"half of")

    filled(tmp_path, 1)

    assert f"{LEDGER_FILE}.new" not in picture(tmp_path)


def test_a_store_in_use_is_refused_with_the_pid(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, "panel", "full")

    with pytest.raises(StoreInUse) as caught:
        open_ledger(tmp_path, "panel", "normal")

    assert caught.value.pid == os.getpid()
    ledger.close()


def test_a_state_directory_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="cannot make the state directory") as caught:
        SqliteLedger(tmp_path / "file" / "state", "panel")

    assert caught.value.hint


def test_the_other_side_of_a_fork_is_refused(tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from actors.domain.errors import StoreError
from actors.stores import SqliteLedger
ledger = SqliteLedger(Path(sys.argv[1]), "panel")
child = os.fork()
if child == 0:
    try:
        ledger.head()
    except StoreError as error:
        os._exit(0 if "fork" in str(error) else 1)
    os._exit(2)
_, status = os.waitpid(child, 0)
ledger.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)]).returncode == 0


# ---- whose file it is


def test_another_mob_s_store_is_refused_naming_both(tmp_path: Path) -> None:
    filled(tmp_path, 1, mob="panel")

    with pytest.raises(StoreError, match="belongs to mob 'panel', not to 'jury'") as caught:
        SqliteLedger(tmp_path, "jury")

    assert caught.value.hint
    with closing(SqliteLedger(tmp_path, "panel")) as ledger:
        assert ledger.head() == 1


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"x" * 4096])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / LEDGER_FILE).write_bytes(content)

    with pytest.raises(StoreError, match="not an SQLite file") as caught:
        SqliteLedger(tmp_path, "panel")

    assert caught.value.hint
    assert (tmp_path / LEDGER_FILE).read_bytes() == content


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(apsw.Connection(str(tmp_path / LEDGER_FILE))) as connection:
        connection.execute("CREATE TABLE notes(text)")
    before = (tmp_path / LEDGER_FILE).read_bytes()

    with pytest.raises(StoreError, match="not the store of a mob") as caught:
        SqliteLedger(tmp_path, "panel")

    assert caught.value.hint
    assert (tmp_path / LEDGER_FILE).read_bytes() == before


def test_a_store_without_an_owner_is_damaged(tmp_path: Path) -> None:
    file = filled(tmp_path, 1)
    edit(file, "DELETE FROM meta")

    with pytest.raises(StoreDamaged, match="does not say which mob"):
        SqliteLedger(tmp_path, "panel")
    assert not verify_store(tmp_path).ok


def test_an_impossible_version_is_refused(tmp_path: Path) -> None:
    file = filled(tmp_path, 1)
    edit(file, "PRAGMA user_version = 0")

    with pytest.raises(StoreError, match="impossible version 0"):
        SqliteLedger(tmp_path, "panel")


# ---- looking from outside


def test_a_running_mob_s_store_can_be_verified(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path, "panel")) as ledger:
        ledger.append(notes(1200), at_ms=1)

        assert verify_store(tmp_path) == LedgerCheck(ok=True, entries=1200)
        assert verify_store(tmp_path / LEDGER_FILE) == LedgerCheck(ok=True, entries=1200)

        assert ledger.append(notes(1), at_ms=1) == 1201


def test_verifying_an_idle_store_touches_nothing(tmp_path: Path) -> None:
    filled(tmp_path, 20)
    before = picture(tmp_path)

    assert verify_store(tmp_path).ok

    assert picture(tmp_path) == before


def test_verifying_what_a_killed_mob_left_keeps_file_and_log(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path / "a", "panel")) as ledger:
        ledger.append(notes(20), at_ms=1)
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    before = picture(tmp_path / "b")

    assert verify_store(tmp_path / "b") == LedgerCheck(ok=True, entries=20)

    after = picture(tmp_path / "b")
    for name in (LEDGER_FILE, f"{LEDGER_FILE}-wal", WITNESS_FILE):
        assert after[name] == before[name]


def test_a_place_without_a_store_is_a_store_error(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(StoreError, match="no such file") as caught:
            verify_store(place)
        assert caught.value.hint


def test_a_backup_beside_a_longer_ledger_is_sound(tmp_path: Path) -> None:
    file = filled(tmp_path, 3)
    shutil.copy(file, tmp_path / "copy.sqlite")
    filled(tmp_path, 3)

    assert verify_store(tmp_path / "copy.sqlite") == LedgerCheck(ok=True, entries=3)
    assert verify_store(tmp_path) == LedgerCheck(ok=True, entries=6)


# ---- readers


def test_more_readers_than_are_kept_idle_are_served_and_closed(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, "panel")
    ledger.append(notes(10), at_ms=1)
    lent = [ledger._reader() for _ in range(7)]
    for one in lent:
        one.__enter__()

    assert len(ledger.read()) == 10

    for one in lent:
        one.__exit__(None, None, None)
    assert len(ledger._idle) == 4
    ledger.close()


def test_a_reader_that_is_out_when_the_ledger_closes_is_closed_on_return(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, "panel")
    ledger.append(notes(10), at_ms=1)
    lent = ledger._reader()
    connection = lent.__enter__()

    ledger.close()

    assert connection.execute("SELECT count(*) FROM ledger").fetchone() == (10,)
    lent.__exit__(None, None, None)
    with pytest.raises(apsw.ConnectionClosedError):
        connection.execute("SELECT 1")


def test_a_store_that_cannot_be_opened_for_reading_is_a_store_error(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, "panel")
    ledger.append(notes(1), at_ms=1)
    (tmp_path / LEDGER_FILE).rename(tmp_path / "moved")

    with pytest.raises(StoreError, match="cannot open the store for reading"):
        ledger.read()
    with pytest.raises(StoreError, match="cannot open the store for reading"):
        ledger.verify()

    (tmp_path / "moved").rename(tmp_path / LEDGER_FILE)
    assert len(ledger.read()) == 1
    ledger.close()
