"""Damage is found at opening or at the first touch, never served, never overwritten."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from actors.domain.errors import StoreDamaged
from actors.domain.events import Emitted, LedgerEvent, MemberHeld
from actors.stores import LedgerCheck, SqliteLedger, verify_store
from actors.stores.chain import extend, genesis
from actors.stores.storefile import LEDGER_FILE, quick_check
from actors.stores.witness import WITNESS_FILE


def notes(count: int) -> list[LedgerEvent]:
    return [MemberHeld(identity=f"risk-{n}", reason="tired") for n in range(count)]


def big(count: int) -> list[LedgerEvent]:
    return [
        Emitted(identity="a", input_id=str(n), kind="blob", data='"' + "x" * 6000 + '"')
        for n in range(count)
    ]


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


def orphan_pages(file: Path) -> None:
    """Damage that lies outside the entries: pages that belong to nothing."""
    edit(file, "CREATE INDEX extra ON ledger(at_ms)")
    with closing(apsw.Connection(str(file), apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.config(apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1)
        connection.execute("DELETE FROM sqlite_schema WHERE name = 'extra'")


# ---- damage


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET body = x'00' WHERE cursor = 40",
        "UPDATE ledger SET at_ms = at_ms + 1 WHERE cursor = 40",
        "UPDATE ledger SET tag = 'member_retired' WHERE cursor = 40",
        "UPDATE ledger SET hash = zeroblob(32) WHERE cursor = 40",
        "DELETE FROM ledger WHERE cursor = 40",
        "UPDATE ledger SET cursor = 4000 WHERE cursor = 40",
    ],
)
def test_a_changed_row_is_reported_and_never_served(tmp_path: Path, statement: str) -> None:
    file = filled(tmp_path, 1500)
    edit(file, statement)

    check = verify_store(tmp_path)

    assert (check.ok, check.entries, check.first_bad) == (False, 39, 40)
    if "4000" in statement:
        with pytest.raises(StoreDamaged):  # the tail is broken too
            SqliteLedger(tmp_path, "panel")
        return
    # Deeper than the links checked at opening: found at the first touch.
    with closing(SqliteLedger(tmp_path, "panel")) as ledger:
        assert len(ledger.read(0, 39)) == 39
        assert ledger.read(1400, 1)[0].cursor == 1401
        with pytest.raises(StoreDamaged) as caught:
            ledger.read(0, 100)
        assert caught.value.cursor == 40
        with pytest.raises(StoreDamaged):
            ledger.read(39, 1)


def test_damage_among_the_last_links_is_found_at_opening(tmp_path: Path) -> None:
    file = filled(tmp_path, 1500)
    edit(file, "UPDATE ledger SET body = x'00' WHERE cursor = 501")
    before = picture(tmp_path)

    with pytest.raises(StoreDamaged) as caught:
        SqliteLedger(tmp_path, "panel")

    assert caught.value.cursor == 501
    after = picture(tmp_path)
    assert {name: after[name] for name in before} == before


def test_after_damage_was_seen_nothing_is_appended(tmp_path: Path) -> None:
    file = filled(tmp_path, 1500)
    edit(file, "UPDATE ledger SET body = x'00' WHERE cursor = 40")
    before = file.read_bytes()

    with closing(SqliteLedger(tmp_path, "panel")) as ledger:
        assert ledger.append([], at_ms=2) == 1500
        assert ledger.verify().first_bad == 40
        with pytest.raises(StoreDamaged) as caught:
            ledger.append(notes(1), at_ms=2)

    assert caught.value.cursor == 40
    assert file.read_bytes() == before


@pytest.mark.parametrize("start", [2, 1500])
def test_a_page_that_does_not_find_its_predecessor_is_damage(tmp_path: Path, start: int) -> None:
    file = filled(tmp_path, 3000)
    edit(file, "DELETE FROM ledger WHERE cursor = ?", start)

    with closing(SqliteLedger(tmp_path, "panel")) as ledger:
        with pytest.raises(StoreDamaged) as caught:
            ledger.read(start)
        assert caught.value.cursor == start


def test_entries_that_vanish_while_open_are_missed(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path, "panel")) as ledger:
        ledger.append(notes(10), at_ms=1)
        edit(tmp_path / LEDGER_FILE, "DELETE FROM ledger WHERE cursor > 7")

        with pytest.raises(StoreDamaged, match="acknowledged and are missing") as caught:
            ledger.read()
        check = ledger.verify()

    assert caught.value.cursor == 8
    assert (check.ok, check.entries, check.first_bad) == (False, 7, 8)


def test_an_event_of_an_unknown_kind_is_reported_and_not_served(tmp_path: Path) -> None:
    file = filled(tmp_path, 0)
    rows, _ = extend(genesis("panel"), [("from_the_future", b"{}")], 1)
    edit(file, "INSERT INTO ledger VALUES(?, ?, ?, ?, ?)", *rows[0])

    check = verify_store(tmp_path)

    assert (check.ok, check.entries, check.first_bad) == (False, 0, 1)
    assert check.problem is not None
    assert "from_the_future" in check.problem
    with closing(SqliteLedger(tmp_path, "panel")) as ledger, pytest.raises(StoreDamaged):
        ledger.read()


def test_a_table_that_is_gone_is_damage(tmp_path: Path) -> None:
    file = filled(tmp_path, 3)
    edit(file, "DROP TABLE ledger")

    with pytest.raises(StoreDamaged, match="SQLite"):
        SqliteLedger(tmp_path, "panel")
    assert verify_store(tmp_path).first_bad == 1


def test_damage_outside_the_entries_is_reported_without_a_cursor(tmp_path: Path) -> None:
    orphan_pages(filled(tmp_path, 2000))

    check = verify_store(tmp_path)

    assert (check.ok, check.entries, check.first_bad) == (False, 2000, None)
    assert check.problem is not None
    assert "never used" in check.problem


def test_what_sqlite_cannot_check_at_all_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"noise" * 1000)

    with closing(apsw.Connection(str(tmp_path / "noise"))) as connection:
        problem = quick_check(connection)

    assert problem is not None
    assert "not a database" in problem


# ---- the witness


def test_entries_cut_off_the_end_are_missed_at_opening(tmp_path: Path) -> None:
    file = filled(tmp_path, 10)
    edit(file, "DELETE FROM ledger WHERE cursor > 7")

    with pytest.raises(StoreDamaged, match="to 10 were acknowledged and are missing") as caught:
        SqliteLedger(tmp_path, "panel")

    assert caught.value.cursor == 8
    assert verify_store(tmp_path).first_bad == 8


def test_a_deleted_log_is_missed_at_opening(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path / "a", "panel")) as ledger:
        ledger.append(notes(10), at_ms=1)
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / f"{LEDGER_FILE}-wal").unlink()

    with pytest.raises(StoreDamaged, match="to 10 were acknowledged"):
        SqliteLedger(tmp_path / "b", "panel")


def test_a_deleted_store_is_missed_at_opening(tmp_path: Path) -> None:
    filled(tmp_path, 10).unlink()

    with pytest.raises(StoreDamaged, match="to 10 were acknowledged"):
        SqliteLedger(tmp_path, "panel")

    assert not (tmp_path / LEDGER_FILE).exists()


@pytest.mark.parametrize("depth", [0, 1200])
def test_another_history_of_the_same_length_is_refused(tmp_path: Path, depth: int) -> None:
    filled(tmp_path / "a", 10)
    with closing(SqliteLedger(tmp_path / "b", "panel", durability="normal")) as ledger:
        ledger.append(big(10), at_ms=1)
        ledger.append(notes(depth), at_ms=1)
    shutil.copy(tmp_path / "a" / WITNESS_FILE, tmp_path / "b" / WITNESS_FILE)

    with pytest.raises(StoreDamaged, match="another entry was acknowledged here") as caught:
        SqliteLedger(tmp_path / "b", "panel")

    assert caught.value.cursor == 10
    assert verify_store(tmp_path / "b").first_bad == 10


@pytest.mark.parametrize("content", [b"", b"torn", b"\0" * 48])
def test_a_witness_that_cannot_be_read_is_no_witness(tmp_path: Path, content: bytes) -> None:
    filled(tmp_path, 10)
    (tmp_path / WITNESS_FILE).write_bytes(content)

    with closing(SqliteLedger(tmp_path, "panel")) as ledger:
        assert ledger.append(notes(1), at_ms=2) == 11

    assert verify_store(tmp_path) == LedgerCheck(ok=True, entries=11)


def test_a_witness_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / WITNESS_FILE).mkdir()

    filled(tmp_path, 3)

    assert verify_store(tmp_path) == LedgerCheck(ok=True, entries=3)


def test_normal_durability_makes_no_claims(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path, "panel", durability="normal")) as ledger:
        ledger.append(notes(3), at_ms=1)

    assert WITNESS_FILE not in picture(tmp_path)
