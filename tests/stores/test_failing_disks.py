"""Disks that fail or make wait: whole or nothing, and readers are not held up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import apsw
import pytest

from actors.domain.errors import StoreError
from actors.domain.events import Emitted, LedgerEvent, MemberHeld
from actors.stores import LedgerCheck, SqliteLedger, verify_store
from actors.stores.storefile import LEDGER_FILE


def notes(count: int) -> list[LedgerEvent]:
    return [MemberHeld(identity=f"risk-{n}", reason="tired") for n in range(count)]


def big(count: int) -> list[LedgerEvent]:
    return [
        Emitted(identity="a", input_id=str(n), kind="blob", data='"' + "x" * 6000 + '"')
        for n in range(count)
    ]


def picture(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


class Disk(apsw.VFS):
    """A disk whose n-th write or sync from now on fails, or waits."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.good_calls: int | None = None
        self.error = apsw.SQLITE_IOERR_WRITE
        self.syncing = Event()
        self.may_sync = Event()
        self.may_sync.set()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return DiskFile(self, name, flags)

    def count(self) -> None:
        if self.good_calls is None:
            return
        if self.good_calls == 0:
            raise apsw.exception_for(self.error)
        self.good_calls -= 1


class DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self.disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.count()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self.disk.count()
        self.disk.syncing.set()
        self.disk.may_sync.wait()
        super().xSync(flags)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk("a-disk-for-tests")
    yield disk
    disk.unregister()


def refused_append(ledger: SqliteLedger) -> StoreError | None:
    try:
        ledger.append(big(8), at_ms=2)
    except StoreError as error:
        return error
    return None


@pytest.mark.parametrize("error", [apsw.SQLITE_FULL, apsw.SQLITE_IOERR_WRITE])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whichever_disk_call_fails_an_append_is_whole_or_nothing(
    tmp_path: Path, disk: Disk, error: int
) -> None:
    disk.error = error
    failures = 0
    for good_calls in range(100):
        state_dir = tmp_path / str(good_calls)
        ledger = SqliteLedger(state_dir, "panel", vfs="a-disk-for-tests")
        ledger.append(notes(5), at_ms=1)

        disk.good_calls = good_calls
        refusal = refused_append(ledger)
        disk.good_calls = None
        whole = refusal is None
        if refusal is not None:
            failures += 1
            assert type(refusal) is StoreError
            assert (refusal.path, bool(refusal.hint)) == (str(state_dir / LEDGER_FILE), True)
            assert ledger.head() == len(ledger.read()) == 5

        head = 14 if whole else 6
        assert ledger.append(notes(1), at_ms=3) == head
        assert ledger.verify() == LedgerCheck(ok=True, entries=head)
        ledger.close()
        with closing(SqliteLedger(state_dir, "panel")) as again:
            assert again.verify() == LedgerCheck(ok=True, entries=head)
        if whole:
            break

    assert failures > 5
    assert whole


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_disk_that_is_full_at_closing_loses_nothing(tmp_path: Path, disk: Disk) -> None:
    ledger = SqliteLedger(tmp_path, "panel", vfs="a-disk-for-tests")
    ledger.append(big(5), at_ms=1)
    disk.error = apsw.SQLITE_FULL
    disk.good_calls = 0

    ledger.close()

    disk.good_calls = None
    assert verify_store(tmp_path) == LedgerCheck(ok=True, entries=5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_store_that_cannot_be_made_leaves_nothing_half_made(tmp_path: Path, disk: Disk) -> None:
    disk.error = apsw.SQLITE_FULL
    disk.good_calls = 1

    with pytest.raises(StoreError, match="cannot create the store"):
        SqliteLedger(tmp_path, "panel", vfs="a-disk-for-tests")

    disk.good_calls = None
    assert LEDGER_FILE not in picture(tmp_path)
    with closing(SqliteLedger(tmp_path, "panel", vfs="a-disk-for-tests")) as ledger:
        assert ledger.head() == 0


def test_reads_do_not_wait_for_an_append_that_waits_for_the_disk(
    tmp_path: Path, disk: Disk
) -> None:
    ledger = SqliteLedger(tmp_path, "panel", vfs="a-disk-for-tests")
    ledger.append(notes(5), at_ms=1)
    disk.syncing.clear()
    disk.may_sync.clear()
    writer = Thread(target=ledger.append, args=(notes(5),), kwargs={"at_ms": 2})
    writer.start()
    assert disk.syncing.wait(timeout=30)

    seen = len(ledger.read())
    check = ledger.verify()

    disk.may_sync.set()
    writer.join()
    assert (seen, check) == (5, LedgerCheck(ok=True, entries=5))
    assert ledger.head() == len(ledger.read()) == 10
    ledger.close()
