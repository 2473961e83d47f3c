"""Where the sockets of one machine lie, and whose they are.

libzmq takes over a path that another process listens on without a word, and leaves the file behind
when it ends. So a path is claimed first: a lock file beside it is held with `flock` as long as the
owner lives (the kernel lets go of it, `kill -9` or not), and only who holds the lock removes what
is left of the last owner.

The directory is `$XDG_RUNTIME_DIR/mob/<hash>`, or `/tmp/mob-<uid>/<hash>` where that is not set or
too long, 0700 on both levels. Nobody else can reach a socket in there, whatever its own mode.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from transport.private_files import FileRefused, open_directory
from transport.reach import PATH_BYTES

__all__ = ["IpcPath", "PathInUse", "check_to_dial", "endpoint_to_dial", "runtime_directory"]

LONGEST_NAME: Final = 16
HASH_BYTES: Final = 8

_held: weakref.WeakSet[IpcPath] = weakref.WeakSet()


class PathInUse(FileRefused):
    """A live process listens on the path.

    Attributes:
        holder: Its number; None when it has not said it.
    """

    def __init__(self, path: str, holder: int | None) -> None:
        who = "another process" if holder is None else f"process {holder}"
        super().__init__(path, f"is in use by {who}", "end that process first")
        self.holder = holder


def runtime_directory(owner: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory for the sockets of an owner; nothing is made.

    Args:
        owner: What the sockets belong to, e.g. the path of a state directory. Equal texts give
            equal directories.
        environ: Where `XDG_RUNTIME_DIR` is looked up.
    """
    name = hashlib.blake2b(owner.encode(), digest_size=HASH_BYTES).hexdigest()
    given = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(given):
        directory = Path(given) / "mob" / name
        if len(os.fsencode(directory)) + 1 + LONGEST_NAME <= PATH_BYTES:
            return directory
    return Path("/tmp") / f"mob-{os.geteuid()}" / name  # noqa: S108 - checked, and 0700


class IpcPath:
    """The right to listen on one path, from construction to `release`.

    Args:
        owner: As for `runtime_directory`.
        name: Name of the socket, 1-16 characters that an address may have.
        environ: As for `runtime_directory`.

    Raises:
        PathInUse: A live process has the path.
        FileRefused: A directory is not private, or something else than a socket lies there.
        ValueError: The name is too long or is a path.
    """

    def __init__(self, owner: str, name: str, environ: Mapping[str, str] = os.environ) -> None:
        if not 1 <= len(name.encode()) <= LONGEST_NAME or "/" in name or name.startswith("."):
            raise ValueError(f"the name of a socket has 1-{LONGEST_NAME} bytes and is no path")
        directory = runtime_directory(owner, environ)
        self.path = directory / name
        # Each level is opened and checked: the upper one could be another user's, made to wait.
        with open_directory(directory.parent, create=True):
            pass
        with open_directory(directory, create=True) as opened:
            self._fd = _lock(opened, directory / f"{name}.lock")
            try:
                _remove_stale(opened, self.path)
            except BaseException:
                self._close()
                raise
        _held.add(self)

    @property
    def endpoint(self) -> str:
        """`ipc://` and the path."""
        return f"ipc://{self.path}"

    def release(self) -> None:
        """Remove the socket file and let go of the path; twice does nothing.

        Close the sockets first: whoever claims the path next makes a new file.
        """
        if self._fd < 0:
            return
        _held.discard(self)
        with suppress(OSError):
            os.unlink(self.path)
        # The lock file stays: removing it would let two owners lock two files of one name.
        with suppress(OSError):
            fcntl.flock(self._fd, fcntl.LOCK_UN)  # a forked child may hold a copy
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)


def check_to_dial(endpoint: str) -> None:
    """See that nobody else can put a socket where an ipc endpoint is, there already or not yet.

    Raises:
        FileRefused: The directory is missing or not private.
    """
    with open_directory(Path(endpoint.removeprefix("ipc://")).parent):
        pass


def endpoint_to_dial(path: Path) -> str:
    """Return the endpoint of a socket that another process of this user listens on.

    Before dialling, not after: where others can write, the one who listens may be anybody.

    Raises:
        FileRefused: The directory is not private, or no socket of this user is there.
    """
    with open_directory(path.parent) as opened:
        try:
            found = os.stat(path.name, dir_fd=opened, follow_symlinks=False)
        except FileNotFoundError:
            found = None
    if found is None or not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise FileRefused(
            str(path), "is no socket of this user", "start the mob that listens there"
        )
    return f"ipc://{path}"


def _lock(directory: int, path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path.name, flags, 0o600, dir_fd=directory)
    except OSError as error:
        problem = f"cannot be opened: {error.strerror}"
        raise FileRefused(str(path), problem, f"look at it: ls -l {path}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    except OSError as error:
        text = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        os.close(fd)
        if not isinstance(error, BlockingIOError):
            problem = f"cannot be locked: {error.strerror}"
            hint = "set XDG_RUNTIME_DIR to a directory on a local disk with free space"
            raise FileRefused(str(path), problem, hint) from error
        holder = int(text) if text.isdigit() else None
        raise PathInUse(str(path.with_suffix("")), holder) from error
    return fd


def _remove_stale(directory: int, path: Path) -> None:
    """Remove the socket of an owner that is gone: its lock is ours."""
    try:
        found = os.stat(path.name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileRefused(str(path), "is in the way and is no socket", f"move it away: {path}")
    os.unlink(path.name, dir_fd=directory)


def _forget_in_child() -> None:
    # Closing, never unlocking: the lock belongs to the open file that the parent still holds.
    for claim in list(_held):
        claim._close()
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
