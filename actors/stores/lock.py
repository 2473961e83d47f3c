"""One process per state directory: an ``flock`` that vanishes with its holder.

The lock is the kernel's, not the file's existence: after ``kill -9`` the file stays, the lock does
not, and nobody has to clean up (``reference/reliability.md`` M4). The file holds the pid of the
holder for the sake of the error message only; it is never the reason to refuse.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

from actors.domain.errors import StoreError, StoreInUse

LOCK_FILE = "lock"

_held: WeakSet[DirectoryLock] = WeakSet()


class DirectoryLock:
    """The exclusive right to write in ``state_dir``, held from construction to `release`.

    A second attempt fails, in this process as in another. The descriptor is not inherited by
    programs started from here, and a forked child gives its copy up at once, so that a child which
    outlives the holder does not keep the directory busy.

    Raises:
        StoreInUse: another holder has it; ``pid`` names it (0: it has not written its pid yet).
        StoreError: the lock file cannot be opened or locked.
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / LOCK_FILE
        try:
            # Python adds O_CLOEXEC to every descriptor it opens (PEP 446); named for the reader.
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                str(self.path),
                f"cannot open the lock file: {error.strerror}",
                "check that the state directory belongs to you and is writable",
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)
        except BlockingIOError as error:
            pid = _pid_in(self._fd)
            self._close()
            raise StoreInUse(str(state_dir), pid) from error
        except OSError as error:
            self._close()
            raise StoreError(
                str(self.path),
                f"cannot lock the file: {error.strerror}",
                "keep the state directory on a local disk with free space; "
                "some network file systems have no locks",
            ) from error
        _held.add(self)

    def release(self) -> None:
        """Give the directory up. The file stays; releasing twice does nothing."""
        if self._fd < 0:
            return
        _held.discard(self)
        with suppress(OSError):  # a stale pid is harmless, see the module's docstring
            os.ftruncate(self._fd, 0)
        # Unlocking, not only closing: a forked child that could not run its hook may hold a copy.
        with suppress(OSError):
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)


def holder_of(state_dir: Path) -> int | None:
    """The pid of the process that holds a state directory; None when nobody does.

    It takes nothing: the lock is only tried, in a shared way that another look may share.
    """
    try:
        fd = os.open(state_dir / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(fd)
    finally:
        os.close(fd)
    return None


def _pid_in(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None


def _forget_in_child() -> None:
    # Closing, never unlocking: the lock belongs to the open file the parent still holds.
    for lock in list(_held):
        lock._close()
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
