"""The embedded store: one SQLite file per mob, through APSW.

One connection writes, and a lock hands it to one thread at a time; every reader has a connection
of its own for as long as it reads, so that in WAL mode reads never wait for the writer. APSW
brings a SQLite with the fix of the WAL-reset bug (3.51.3), which the system's usually lacks
(``reference/reliability.md`` F10), and lets tests stand between SQLite and the disk (``vfs``).

A commit is synced before `append` returns (``durability="full"``); what follows the last synced
commit may be lost to a power cut under "normal", never to the death of the process. One limit of
any log is stated rather than hidden: when the sync itself fails, the caller is told that nothing
was appended, and that becomes final with the next successful append; a crash in between may bring
the refused entries back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, cast

import apsw

from actors.domain.errors import StoreDamaged, StoreError
from actors.domain.events import Entry, LedgerEvent
from actors.stores import storefile
from actors.stores.chain import BrokenLink, Head, Row, extend, genesis, verify
from actors.stores.entries import check_rows, entry_of, missing, parts_of
from actors.stores.lock import DirectoryLock
from actors.stores.ports import Durability, LedgerCheck
from actors.stores.storefile import LEDGER_FILE, MIGRATIONS, Migration, errors_named
from actors.stores.witness import WITNESS_FILE, Claim, Witness, read_claim

TAIL_LINKS: Final = 1000  # checked at every open; reference/reliability.md M10
_PAGE_ROWS: Final = 1000  # short transactions: a long reader would keep the log from shrinking
_IDLE_READERS: Final = 4
_LOG_LIMIT_BYTES: Final = 64 * 1024 * 1024

_COLUMNS = "SELECT cursor, at_ms, tag, body, hash FROM ledger"
_PAGE = f"{_COLUMNS} WHERE cursor >= ? ORDER BY cursor LIMIT ?"
_INSERT = "INSERT INTO ledger(cursor, at_ms, tag, body, hash) VALUES(?, ?, ?, ?, ?)"
_NOTHING: Final[Row] = (0, 0, "", b"", b"")
_SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL"}


class SqliteLedger:
    """`Ledger` in ``<state_dir>/ledger.sqlite``, held exclusively until `close`.

    The directory (mode 0700) and the file (0600) are made when missing; a file of an older version
    is copied and migrated. After damage was found in it, by whatever call, nothing more is
    appended: a damaged store is never served and never overwritten.

    Args:
        mob: Whose ledger it is; a store belongs to one mob for ever.
        durability: "full" or "normal"; see the module's docstring.
        vfs: The APSW VFS to go through, where tests make disks fail.
        migrations: Replaced by tests only.

    Raises:
        StoreInUse: another process holds the directory.
        StoreTooNew: a newer program wrote the file; it was not touched.
        StoreDamaged: the file or one of its last 1,000 links does not hold; nothing was written.
        StoreError: not our file, another mob's, or the disk refuses.
    """

    def __init__(
        self,
        state_dir: Path,
        mob: str,
        *,
        durability: Durability = "full",
        vfs: str | None = None,
        migrations: tuple[Migration, ...] = MIGRATIONS,
    ) -> None:
        self.mob = mob
        self.durability = durability
        self._file = state_dir / LEDGER_FILE
        self.path: str | None = str(self._file)
        self._vfs = vfs
        self._pid = os.getpid()
        self._writing = Lock()  # guards the writer connection and what an append changes
        self._pooling = Lock()  # guards _idle; taken last, held for no I/O
        self._idle: list[apsw.Connection] = []
        self._closed = False
        self._damage: StoreDamaged | None = None
        with errors_named(self._file, "make the state directory"):
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = DirectoryLock(state_dir)
        try:
            self._writer, self._head = self._open(migrations)
        except BaseException:
            self._lock.release()
            raise
        self._witness = Witness(state_dir / WITNESS_FILE) if durability == "full" else None

    def append(self, events: Sequence[LedgerEvent], *, at_ms: int) -> int:
        """Add all events or none; see `Ledger.append`. Threads take turns."""
        parts = parts_of(events)
        with self._writing:
            self._check_usable()
            if self._damage is not None:
                raise StoreDamaged(*self._damage.args)
            rows, head = extend(self._head, parts, at_ms)
            if rows:
                with errors_named(self._file, "append"):
                    self._insert(rows)
                self._head = head
                if self._witness is not None:
                    self._witness.write(Claim(head.cursor, head.hash))
            return head.cursor

    def read(self, after: int = 0, limit: int = 1000) -> tuple[Entry, ...]:
        """Give the entries after ``after``; see `Ledger.read`. Never waits for an append."""
        if after < 0 or limit < 1:
            raise ValueError(f"after must be >= 0 and limit >= 1, not {after} and {limit}")
        self._check_usable()
        expected = min(limit, self._head.cursor - after)
        if expected < 1:
            return ()
        try:
            with self._reader() as connection, errors_named(self._file, "read"):
                previous, rows = _page(connection, self.mob, after, limit)
            verify(rows, previous)
            if len(rows) < expected:
                raise BrokenLink(after + len(rows) + 1, missing(after + expected))
            return tuple(entry_of(row) for row in rows)
        except BrokenLink as broken:
            self._damage = StoreDamaged(str(self._file), broken.cursor, broken.problem)
            raise self._damage from broken
        except StoreDamaged as error:
            self._damage = error
            raise

    def head(self) -> int:
        """Give the cursor of the last entry, 0 when there is none."""
        self._check_usable()
        return self._head.cursor

    def verify(self) -> LedgerCheck:
        """Read everything and report; see `Ledger.verify`. Appends go on meanwhile."""
        self._check_usable()
        # What is in the file now is at least what was acknowledged before we looked.
        claim = Claim(self._head.cursor, self._head.hash)
        with self._reader() as connection, errors_named(self._file, "read"):
            check = check_file(connection, self.mob, claim)
        if not check.ok:
            self._damage = StoreDamaged(
                str(self._file), check.first_bad, check.problem or "unknown"
            )
        return check

    def close(self) -> None:
        """Give up file and lock; waits for a running append. Closing twice does nothing."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            with self._pooling:
                idle, self._idle = self._idle, []
            for connection in idle:
                connection.close()
            if self._damage is not None or not self._fold_log():
                self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._writer.close()
            if self._witness is not None:
                self._witness.close()
            self._lock.release()

    def _open(self, migrations: tuple[Migration, ...]) -> tuple[apsw.Connection, Head]:
        claim = read_claim(self._file.with_name(WITNESS_FILE))
        known = storefile.newest_version(migrations)
        if not self._file.exists():
            if claim is not None:
                raise StoreDamaged(str(self._file), 1, missing(claim.cursor))
            with errors_named(self._file, "create the store"):
                storefile.create(self._file, self.mob, migrations=migrations, vfs=self._vfs)
        storefile.check_header(self._file, known)
        with errors_named(self._file, "open the store"):
            writer = storefile.connect(self._file, vfs=self._vfs)
        try:
            with errors_named(self._file, "open the store"):
                return writer, self._prepare(writer, claim, migrations)
        except BaseException:
            writer.close()
            raise

    def _prepare(
        self, writer: apsw.Connection, claim: Claim | None, migrations: tuple[Migration, ...]
    ) -> Head:
        """Look first, write later: nothing here changes the file before the last check passed."""
        known = storefile.newest_version(migrations)
        found = int(writer.pragma("user_version"))
        storefile.check_version(self._file, found, known)
        owner = storefile.mob_of(writer)
        if owner is None:
            raise StoreDamaged(str(self._file), None, NO_OWNER)
        if owner != self.mob:
            raise StoreError(
                str(self._file),
                f"it belongs to mob {owner!r}, not to {self.mob!r}",
                "use another state directory for each mob",
            )
        head = self._checked_tail(writer, claim)
        storefile.migrate(writer, self._file, found, migrations)
        writer.execute("PRAGMA journal_mode = WAL").fetchall()
        writer.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[self.durability]}")
        # On macOS fsync leaves the data in the drive's cache; elsewhere these two mean nothing.
        writer.execute("PRAGMA fullfsync = 1").fetchall()
        writer.execute("PRAGMA checkpoint_fullfsync = 1").fetchall()
        writer.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}").fetchall()
        writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        return head

    def _checked_tail(self, connection: apsw.Connection, claim: Claim | None) -> Head:
        try:
            return check_tail(connection, self.mob, claim)
        except BrokenLink as broken:
            raise StoreDamaged(str(self._file), broken.cursor, broken.problem) from broken

    def _insert(self, rows: list[Row]) -> None:
        writer = self._writer
        writer.execute("BEGIN IMMEDIATE")
        try:
            writer.executemany(_INSERT, rows)
            writer.execute("COMMIT")
        except BaseException:
            storefile.roll_back(writer)
            raise

    def _fold_log(self) -> bool:
        """Bring the log into the main file; on a full disk it stays, and nothing is lost."""
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error:
            return False
        return True

    @contextmanager
    def _reader(self) -> Iterator[apsw.Connection]:
        """Lend a reading connection; a few idle ones are kept, the rest closed."""
        with self._pooling:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            with errors_named(self._file, "open the store for reading"):
                connection = storefile.connect_reader(self._file, vfs=self._vfs)
        try:
            yield connection
        finally:
            with self._pooling:
                keep = not self._closed and len(self._idle) < _IDLE_READERS
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def _check_usable(self) -> None:
        if self._closed:
            raise StoreError(str(self._file), "the ledger is closed", "open it again")
        # An SQLite connection must not be used on the other side of a fork.
        if self._pid != os.getpid():
            raise StoreError(
                str(self._file),
                f"it was opened by process {self._pid}, this is its fork",
                "start workers with the spawn method, or open stores after the fork",
            )


NO_OWNER: Final = "it does not say which mob it belongs to"


def rows_from(connection: apsw.Connection) -> Iterator[Row]:
    """Read the whole ledger in order, in flat memory and short transactions.

    Raises:
        BrokenLink: SQLite cannot read on from there.
    """
    last, full = 0, True
    while full:
        count = 0
        try:
            with closing(connection.execute(_PAGE, (last + 1, _PAGE_ROWS))) as page:
                for row in page:
                    count += 1
                    yield cast(Row, row)
                    last = row[0]
        except storefile.DAMAGE as error:
            raise BrokenLink(last + 1, f"SQLite: {storefile.describe(error)}") from error
        full = count == _PAGE_ROWS


def check_file(connection: apsw.Connection, mob: str, claim: Claim | None) -> LedgerCheck:
    """Check everything an open store holds: entries, chain, witness, then SQLite's structures."""
    check = check_rows(rows_from(connection), mob, claim)
    if not check.ok:
        return check
    problem = storefile.quick_check(connection)
    if problem is None:
        return check
    return LedgerCheck(ok=False, entries=check.entries, problem=problem)


def check_tail(
    connection: apsw.Connection, mob: str, claim: Claim | None, links: int = TAIL_LINKS
) -> Head:
    """Check the last ``links`` links and the witness, and give the head of the chain.

    Raises:
        BrokenLink: one of them does not hold.
    """
    found = connection.execute("SELECT max(cursor) FROM ledger").fetchone()
    last = 0 if found is None or found[0] is None else int(found[0])
    start = max(0, last - links)
    previous, rows = _page(connection, mob, start, links)
    head = verify(rows, previous)
    if claim is None:
        return head
    if claim.cursor > head.cursor:
        raise BrokenLink(head.cursor + 1, missing(claim.cursor))
    row = connection.execute("SELECT hash FROM ledger WHERE cursor = ?", (claim.cursor,)).fetchone()
    if claim.cursor > 0 and (row is None or row[0] != claim.hash):
        raise BrokenLink(claim.cursor, "another entry was acknowledged here")
    return head


def _page(connection: apsw.Connection, mob: str, after: int, limit: int) -> tuple[Head, list[Row]]:
    """Read up to ``limit`` rows after ``after`` and, in the same snapshot, what they continue."""
    if after == 0:
        return genesis(mob), cast(list[Row], connection.execute(_PAGE, (1, limit)).fetchall())
    first, *rows = cast(
        list[Row], connection.execute(_PAGE, (after, limit + 1)).fetchall() or [_NOTHING]
    )
    cursor, at_ms, _, _, stored = first
    if cursor != after:
        raise BrokenLink(after, "the entry is missing")
    return Head(cursor, at_ms, stored), rows
