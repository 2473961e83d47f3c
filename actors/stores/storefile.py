"""The SQLite file of a store: names, birth, version, migration, connections, errors.

A store is born whole: the file is built under another name and renamed, so that a crash leaves
either no store or a complete one, and what identifies it (application id, ``user_version``) always
stands in the first hundred bytes, readable without letting SQLite near the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote

import apsw

from actors.domain.errors import StoreDamaged, StoreError, StoreTooNew

LEDGER_FILE: Final = "ledger.sqlite"
APPLICATION_ID: Final = 0x6D6F6261  # "moba"
BUSY_TIMEOUT_MS: Final = 5000

Migration: TypeAlias = Callable[[apsw.Connection], None]
"""Brings the schema from one version to the next, inside a transaction it must not end."""

MIGRATIONS: Final[tuple[Migration, ...]] = ()
"""The one at index i leads from version i + 1 to i + 2."""

_SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE ledger(
    cursor INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    tag TEXT NOT NULL,
    body BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
"""
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100

_DISK_HINT = "check free space, permissions and the health of the disk"
_WRONG_FILE_HINT = "name the state directory of a mob, or move the foreign file away"

# What SQLite raises for content rather than for the world around it. SQLError: a table or column
# that version 1 always had is gone. UnicodeDecodeError: a text that is not UTF-8 was not ours.
DAMAGE: Final = (
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.SQLError,
    apsw.FormatError,
    UnicodeDecodeError,
)


def newest_version(migrations: tuple[Migration, ...] = MIGRATIONS) -> int:
    """Say which version this program writes."""
    return 1 + len(migrations)


def describe(error: BaseException) -> str:
    """Give SQLite's sentence about an error without anything read from the file."""
    return type(error).__name__ if isinstance(error, UnicodeError) else str(error)


@contextmanager
def errors_named(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite and the system raise into `StoreError` and `StoreDamaged` on ``path``."""
    try:
        yield
    except DAMAGE as error:
        raise StoreDamaged(str(path), None, f"SQLite: {describe(error)}") from error
    except apsw.Error as error:
        raise StoreError(str(path), f"cannot {doing}: {error}", _DISK_HINT) from error
    except OSError as error:
        raise StoreError(str(path), f"cannot {doing}: {error.strerror}", _DISK_HINT) from error


def check_header(path: Path, known: int) -> int:
    """Read who wrote the file and in which version, without opening it as a database.

    Raises:
        StoreError: it cannot be read, is not an SQLite file, or belongs to another program.
        StoreTooNew: a newer program wrote it; it was not touched.
    """
    with errors_named(path, "read the file"), path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if len(head) < _HEADER_BYTES or not head.startswith(_MAGIC):
        raise StoreError(str(path), "this is not an SQLite file", _WRONG_FILE_HINT)
    if int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        raise StoreError(str(path), "this SQLite file is not the store of a mob", _WRONG_FILE_HINT)
    return check_version(path, int.from_bytes(head[60:64], "big"), known)


def check_version(path: Path, found: int, known: int) -> int:
    """Give ``found`` back when this program can work with it (``known`` is the newest).

    Raises:
        StoreTooNew, StoreError: it cannot.
    """
    if found > known:
        raise StoreTooNew(str(path), found, known)
    if found < 1:
        raise StoreError(str(path), f"it has the impossible version {found}", _WRONG_FILE_HINT)
    return found


def connect(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """Open an existing store for writing; closing it does not yet touch the main file.

    The caller enables the checkpoint on close once it trusts the content: a damaged store is
    looked at, not written to.
    """
    connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READWRITE, vfs)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    return connection


def connect_reader(
    path: Path, *, immutable: bool = False, vfs: str | None = None
) -> apsw.Connection:
    """Open a store for reading only; in WAL mode this never waits for the writer.

    ``immutable`` promises SQLite that nobody writes, so that it makes no files beside the store.
    """
    flags = apsw.SQLITE_OPEN_READONLY
    name = str(path)
    if immutable:
        flags |= apsw.SQLITE_OPEN_URI
        name = f"file:{quote(name)}?immutable=1"
    connection = apsw.Connection(name, flags, vfs)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    return connection


def create(
    path: Path,
    mob: str,
    *,
    migrations: tuple[Migration, ...] = MIGRATIONS,
    vfs: str | None = None,
) -> None:
    """Make the empty store of ``mob`` in the newest version; appears whole or not at all."""
    draft = path.with_name(path.name + ".new")
    for leftover in (draft, _beside(draft, "-journal"), _beside(draft, "-wal")):
        leftover.unlink(missing_ok=True)
    # The file exists, with its mode, before SQLite sees it; its companions take their mode from it.
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with closing(apsw.Connection(str(draft), apsw.SQLITE_OPEN_READWRITE, vfs)) as connection:
        connection.execute("BEGIN")
        connection.execute(_SCHEMA)
        connection.execute("INSERT INTO meta VALUES('mob', ?)", (mob,))
        for migration in migrations:
            migration(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {newest_version(migrations)}")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    _sync(draft)
    draft.replace(path)
    _sync(path.parent)


def migrate(
    connection: apsw.Connection,
    path: Path,
    found: int,
    migrations: tuple[Migration, ...] = MIGRATIONS,
) -> Path | None:
    """Bring the open store from version ``found`` to the newest, all steps or none.

    Before the first step the store is checked by SQLite and copied to ``<name>.v<found>.bak``.

    Returns:
        The copy; None when there was nothing to do.

    Raises:
        StoreDamaged: SQLite finds damage; nothing was changed, no copy was made.
        Exception: whatever a step raised; the store is as it was, the copy stays.
    """
    if found == newest_version(migrations):
        return None
    problem = quick_check(connection)
    if problem is not None:
        raise StoreDamaged(str(path), None, problem)
    backup = _backup(connection, path.with_name(f"{path.name}.v{found}.bak"))
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in migrations[found - 1 :]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {newest_version(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise
    # The version must be in the first bytes of the main file too, where check_header looks.
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    return backup


def roll_back(connection: apsw.Connection) -> None:
    """End a failed transaction, unless SQLite already did (it does on some disk errors)."""
    if not connection.get_autocommit():
        connection.execute("ROLLBACK")


def mob_of(connection: apsw.Connection) -> str | None:
    """Give the mob a store belongs to; None when it does not say."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'mob'").fetchone()
    return None if row is None else str(row[0])


def quick_check(connection: apsw.Connection) -> str | None:
    """Let SQLite check its own structures; give its first complaint, or None."""
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except DAMAGE as error:
        return f"SQLite: {describe(error)}"
    text = "" if found is None else str(found[0])
    return None if text == "ok" else f"SQLite: {' '.join(text.split())}"


def has_log(path: Path) -> bool:
    """Say whether a write-ahead log stands beside the store: in use, or left by a killed one."""
    return _beside(path, "-wal").exists()


def _backup(connection: apsw.Connection, target: Path) -> Path:
    draft = target.with_name(target.name + ".new")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with (
        closing(apsw.Connection(str(draft), apsw.SQLITE_OPEN_READWRITE)) as copy,
        copy.backup("main", connection, "main") as backup,
    ):
        backup.step()
    _sync(draft)
    draft.replace(target)
    _sync(target.parent)
    return target


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Some file systems refuse to sync a directory; there is nothing better to do there.
        with suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)
